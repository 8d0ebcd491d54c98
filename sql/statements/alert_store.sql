-- $1 partition, $2 epoch of the stream. An alert met again has the same id and is not told twice; the same
-- number for another alert is an error.
insert into ampel.alert_row (tenant, number, epoch, id, at, kind, seller, marketplace, partition, status_before,
                             status_after, score_before, score_after, risk_before, risk_after, cap_group, cause,
                             deadline, rules_version, message, since, weight, signals)
select tenant, number, $2::bigint, id, at, kind, seller, marketplace, $1::bigint, status_before, status_after,
       score_before, score_after, risk_before, risk_after, cap_group, change -> 'cause', deadline, rules_version, message,
       case when change ? 'signals' then (change ->> 'since')::timestamptz end,
       case when change ? 'signals' then (change ->> 'amount')::integer end, change -> 'signals'
  from pg_temp.staging_alert order by tenant, number
on conflict (id) do nothing;

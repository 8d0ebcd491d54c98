-- Read as it was written: numbers of each tenant ascend. $1 partition, $2 epoch of the stream.
insert into ampel.history_row (tenant, number, epoch, id, at, seller, marketplace, partition, score, status, risk,
                               orders, order_points, deducted, score_before, status_before, risk_before, cause,
                               cause_id, rules_version, message)
select tenant, number, $2::bigint, id, at, seller, marketplace, $1::bigint, score, status, risk, orders, order_points,
       deducted, score_before, status_before, risk_before, cause, cause_id, rules_version, message
  from pg_temp.staging_history;

-- The clocks that run, of the accounts that changed. $1 partition.
insert into ampel.clock_row (tenant, seller, marketplace, partition, clock, cap_group, starts, runs_out)
select s.tenant, s.seller, s.marketplace, $1::bigint, r.clock, r.cap_group, r.starts, r.runs_out
  from pg_temp.staging_clock as s
 cross join lateral jsonb_to_recordset(s.clocks) as r(clock text, cap_group text, starts timestamptz, runs_out timestamptz)
 order by s.tenant, s.seller, s.marketplace, r.clock, r.cap_group
on conflict (tenant, seller, marketplace, clock, cap_group, starts) do update
   set partition = excluded.partition, runs_out = excluded.runs_out, resolved_at = null;

-- The clocks that ran and run no more, of the accounts that changed.
update ampel.clock_row as c
   set resolved_at = s.as_of
  from pg_temp.staging_clock as s
 where c.tenant = s.tenant and c.seller = s.seller and c.marketplace = s.marketplace and c.resolved_at is null
   and not exists (select from jsonb_to_recordset(s.clocks) as r(clock text, cap_group text, starts timestamptz)
                    where r.clock = c.clock and r.cap_group = c.cap_group and r.starts = c.starts);

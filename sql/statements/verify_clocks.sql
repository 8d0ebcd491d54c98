-- The clocks of one partition that run, in the order of their accounts. $1 partition.
select tenant, seller, marketplace, clock, cap_group, starts, runs_out
  from ampel.clock_row
 where partition = $1::bigint and resolved_at is null
 order by tenant, seller, marketplace, array_position(array['red', 'assurance', 'cap'], clock), cap_group;

-- The rows of one partition in the order of their accounts and ids. $1 partition.
select tenant, seller, marketplace, id, policy, severity, state, at, expires_at, rank::bigint, points
  from ampel.violation_row
 where partition = $1::bigint
 order by tenant, seller, marketplace, id;

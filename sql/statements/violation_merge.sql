-- $1 partition.
insert into ampel.violation_row (tenant, seller, marketplace, id, partition, policy, severity, severity_given, state, at,
                                 state_at, cleared_since, expires_at, rank, points, points_given, rev, critical,
                                 state_deducts, incident, asin, sku, at_risk_sales_cents)
select tenant, seller, marketplace, id, $1::bigint, policy, severity, severity_given, state, at, state_at,
       cleared_since, expires_at, rank, points, points_given, rev, critical, state_deducts, incident, asin, sku,
       at_risk_sales_cents
  from pg_temp.staging_violation order by tenant, seller, marketplace, id
on conflict (tenant, seller, marketplace, id) do update
   set partition = excluded.partition, policy = excluded.policy, severity = excluded.severity,
       severity_given = excluded.severity_given, state = excluded.state, at = excluded.at,
       state_at = excluded.state_at, cleared_since = excluded.cleared_since, expires_at = excluded.expires_at,
       rank = excluded.rank, points = excluded.points, points_given = excluded.points_given, rev = excluded.rev,
       critical = excluded.critical, state_deducts = excluded.state_deducts, incident = excluded.incident,
       asin = excluded.asin, sku = excluded.sku, at_risk_sales_cents = excluded.at_risk_sales_cents;

-- The known violations of all accounts, or of those that are named. $1 tenant, $2 seller, $3 marketplace; '' is every one.
select tenant, seller, marketplace, id, policy, severity, coalesce(severity_given, ''), state, at, state_at, rank::bigint,
       coalesce(points_given, -1)::bigint, rev::bigint, coalesce(incident, ''), coalesce(asin, ''), coalesce(sku, ''),
       coalesce(round(at_risk_sales * 100)::bigint, -1)
  from ampel.violation
 where ($1::text = '' or tenant = $1::text) and ($2::text = '' or seller = $2::text)
   and ($3::text = '' or marketplace = $3::text)
 order by tenant, seller, marketplace, at, id;

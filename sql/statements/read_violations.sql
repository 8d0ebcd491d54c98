-- The known violations of one account in the order of their ids. $1 tenant, $2 seller, $3 marketplace.
select id, policy, severity, state, at, expires_at, rank::bigint, points, coalesce(points_given, -1)::bigint,
       critical, in_window, deducting, coalesce(incident, ''), coalesce(asin, ''), coalesce(sku, '')
  from ampel.violation
 where tenant = $1::text and seller = $2::text and marketplace = $3::text
 order by id;

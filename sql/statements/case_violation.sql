-- What a revision of a violation has to say again. $1 tenant, $2 seller, $3 marketplace, $4 id.
select policy, coalesce(severity_given, ''), at, coalesce(points_given, -1)::bigint, rev::bigint, coalesce(incident, ''),
       coalesce(asin, ''), coalesce(sku, ''), coalesce(at_risk_sales_cents, -1)
  from ampel.violation_row
 where tenant = $1::text and seller = $2::text and marketplace = $3::text and id = $4::text;

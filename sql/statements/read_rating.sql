-- One account. $1 tenant, $2 seller, $3 marketplace.
select r.score::bigint, r.status, r.risk, r.orders, r.order_points::bigint, r.deducted, r.criticals::bigint,
       r.caps::text, r.as_of, r.rules_version, greatest(r.as_of, p.as_of)
  from ampel.rating_row as r left join ampel.partition as p using (partition)
 where r.tenant = $1::text and r.seller = $2::text and r.marketplace = $3::text;

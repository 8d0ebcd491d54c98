-- $1 partition, $2 rules version.
insert into ampel.rating_row (tenant, seller, marketplace, partition, score, status, risk, orders, order_points,
                              deducted, criticals, caps, as_of, rules_version)
select tenant, seller, marketplace, $1::bigint, score, status, risk, orders, order_points, deducted, criticals, caps,
       as_of, $2::text
  from pg_temp.staging_rating order by tenant, seller, marketplace
on conflict (tenant, seller, marketplace) do update
   set partition = excluded.partition, score = excluded.score, status = excluded.status, risk = excluded.risk,
       orders = excluded.orders, order_points = excluded.order_points, deducted = excluded.deducted,
       criticals = excluded.criticals, caps = excluded.caps, as_of = excluded.as_of,
       rules_version = excluded.rules_version;

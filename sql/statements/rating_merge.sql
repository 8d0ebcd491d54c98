-- The staging table is read as it was written: in the order of the accounts. $1 partition, $2 rules version.
insert into ampel.rating_row (tenant, seller, marketplace, partition, score, status, risk, orders, order_points,
                              deducted, criticals, caps, as_of, rules_version, score_min, score_max,
                              next_change_at, turns_green_at, turns_yellow_at, turns_red_at,
                              score_without_incidents, incidents, incidents_total, outlook)
select tenant, seller, marketplace, $1::bigint, score, status, risk, orders, order_points, deducted, criticals, caps,
       as_of, $2::text, score_min, score_max, next_change_at, turns_green_at, turns_yellow_at, turns_red_at,
       score_without_incidents, incidents, incidents_total, outlook
  from pg_temp.staging_rating
on conflict (partition, seller, tenant, marketplace) do update
   set score = excluded.score, status = excluded.status, risk = excluded.risk,
       orders = excluded.orders, order_points = excluded.order_points, deducted = excluded.deducted,
       criticals = excluded.criticals, caps = excluded.caps, as_of = excluded.as_of,
       rules_version = excluded.rules_version, score_min = excluded.score_min, score_max = excluded.score_max,
       next_change_at = excluded.next_change_at, turns_green_at = excluded.turns_green_at,
       turns_yellow_at = excluded.turns_yellow_at, turns_red_at = excluded.turns_red_at,
       score_without_incidents = excluded.score_without_incidents, incidents = excluded.incidents,
       incidents_total = excluded.incidents_total, outlook = excluded.outlook;

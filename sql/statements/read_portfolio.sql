-- The portfolio, worst first. $1 tenant or '' for all, $2 status or '', $3 how many rows at most.
select tenant, seller, marketplace, score::bigint, status, risk, orders, order_points::bigint, deducted,
       caps::text, as_of, rules_version
  from ampel.rating_row
 where ($1::text = '' or tenant = $1::text) and ($2::text = '' or status = $2::text)
 order by case risk when 'immediate' then 0 when 'eligible' then 1 when 'at_risk' then 2 else 3 end, score,
          tenant, seller, marketplace
 limit $3::bigint;

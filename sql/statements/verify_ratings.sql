-- The rows of one partition in the order of their accounts, each with what history told last (null: nothing that is kept).
-- $1 partition.
select r.tenant, r.seller, r.marketplace, r.score::bigint, r.status, r.risk, r.orders, r.order_points::bigint, r.deducted,
       r.criticals::bigint, r.caps::text, r.as_of, r.rules_version, h.score::bigint, h.status, h.risk
  from ampel.rating_row as r
  left join lateral (select h.score, h.status, h.risk from ampel.history_row as h
                      where h.partition = r.partition and h.seller = r.seller and h.tenant = r.tenant
                        and h.marketplace = r.marketplace
                      order by h.at desc, h.number desc limit 1) as h on true
 where r.partition = $1::bigint
 order by r.tenant, r.seller, r.marketplace;

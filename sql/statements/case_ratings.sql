-- What the case does to each of its stores, as of their rows. $1 tenant, $2 id.
select a.seller, a.marketplace, r.score::bigint, r.status, r.risk, coalesce(i.score_without, r.score)::bigint,
       coalesce(i.violations, 0)::bigint, coalesce(i.deducting, 0)::bigint, coalesce(i.points, 0), coalesce(i.points_caused, 0),
       coalesce(i.orders, 0), coalesce(i.cancelled, 0), coalesce(array_to_string(i.dispute_first, ' '), ''), r.as_of
  from ampel.case_account_row as a
  left join ampel.rating_row as r using (tenant, seller, marketplace)
  left join ampel.incident as i on i.tenant = a.tenant and i.seller = a.seller and i.marketplace = a.marketplace and i.id = a.id
 where a.tenant = $1::text and a.id = $2::text order by a.seller, a.marketplace;

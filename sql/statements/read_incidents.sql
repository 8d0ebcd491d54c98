-- The takeover cases of one account; no row without any. $1 tenant, $2 seller, $3 marketplace.
select incidents_total::bigint, score_without_incidents::bigint, incidents::text
  from ampel.rating_row
 where tenant = $1::text and seller = $2::text and marketplace = $3::text and incidents is not null;

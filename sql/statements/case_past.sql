-- Scores and orders of one account from the last change at or before a time on. $1 tenant, $2 seller, $3 marketplace, $4 that
-- time.
select at, score::bigint, orders
  from ampel.rating_history
 where tenant = $1::text and seller = $2::text and marketplace = $3::text
   and at >= coalesce((select max(at) from ampel.rating_history
                        where tenant = $1::text and seller = $2::text and marketplace = $3::text
                          and at <= $4::timestamptz), $4::timestamptz)
 order by at, number;

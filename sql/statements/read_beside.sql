-- One account. $1 tenant, $2 seller, $3 marketplace.
select days_marked::bigint, days_below::bigint, days_to_lost::bigint, professional, emergency_phone, eligible, near,
       today_below, banner, metrics::text
  from ampel.beside_row
 where tenant = $1::text and seller = $2::text and marketplace = $3::text;

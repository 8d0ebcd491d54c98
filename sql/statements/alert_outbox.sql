-- $1 tenant, $2 first number, $3 at most so many.
select number, message from ampel.alert_row where tenant = $1::text and number >= $2::bigint order by number
 limit $3::bigint;

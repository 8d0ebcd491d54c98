-- The stores of a seller that have a rating. $1 tenant, $2 seller, $3 marketplace or '*'.
select marketplace from ampel.rating_row
 where tenant = $1::text and seller = $2::text and ($3::text = '*' or marketplace = $3::text) order by marketplace;

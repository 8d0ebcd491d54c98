-- $1 tenant, $2 whether.
update ampel.tenant set suspended_at = case when $2::boolean then coalesce(suspended_at, now()) end
 where tenant = $1::text;

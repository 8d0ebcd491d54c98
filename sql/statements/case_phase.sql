-- $1 tenant, $2 id, $3 state, $4 when. Backwards never; the same again changes nothing.
update ampel.case_row
   set state = $3::text,
       contained_at = case when $3::text = 'contained' then $4::timestamptz else contained_at end,
       closed_at = case when $3::text = 'closed' then $4::timestamptz else closed_at end
 where tenant = $1::text and id = $2::text
   and ($3::text = 'contained' and state = 'opened' or $3::text = 'closed' and state = 'contained');

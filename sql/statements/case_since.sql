-- The start as it is known better now. $1 tenant, $2 id, $3 compromised from.
update ampel.case_row set compromised_from = $3::timestamptz
 where tenant = $1::text and id = $2::text and compromised_from <> $3::timestamptz;

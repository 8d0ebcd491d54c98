-- $1 number, $2 name, $3 text.
insert into ampel.migration (number, name, checksum)
values ($1::bigint, $2::text, encode(sha256(convert_to($3::text, 'UTF8')), 'hex'));

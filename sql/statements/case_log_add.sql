-- $1 tenant, $2 id, $3 by, $4 kind, $5 step or 0, $6 what, $7 when it was done, $8 note, $9 file, $10 its size, $11 its SHA-256;
-- '' is none.
insert into ampel.case_log_row (tenant, id, number, by, kind, step, what, moment, note, file_name, file_size, file_sha256)
select $1::text, $2::text, coalesce(max(number), 0) + 1, $3::text, $4::text, nullif($5::bigint, 0), nullif($6::text, ''),
       $7::timestamptz, nullif($8::text, ''), nullif($9::text, ''),
       case when $11::text = '' then null else $10::bigint end, nullif($11::text, '')
  from ampel.case_log_row where tenant = $1::text and id = $2::text
returning number;

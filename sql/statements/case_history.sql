-- $1 tenant, $2 id.
select number, at, by, kind, coalesce(step, 0)::bigint, coalesce(what, ''), moment, coalesce(note, ''), coalesce(file_name, ''),
       coalesce(file_size, 0), coalesce(file_sha256, '')
  from ampel.case_log_row where tenant = $1::text and id = $2::text order by number;

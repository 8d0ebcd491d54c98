-- $1 partition, $2 position.
insert into ampel.page (partition, page, position, bytes)
select $1::bigint, page, $2::bigint, bytes from pg_temp.staging_page order by page
on conflict (partition, page) do update set position = excluded.position, bytes = excluded.bytes;

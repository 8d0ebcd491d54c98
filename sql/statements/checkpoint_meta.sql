-- $1 partition, $2 bytes.
insert into ampel.meta (partition, bytes) values ($1::bigint, $2::bytea)
on conflict (partition) do update set bytes = excluded.bytes;

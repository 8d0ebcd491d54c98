-- $1: partitions. The version digits of a random uuid are left out.
insert into ampel.system (id, partitions)
select ('x' || left(hex, 12) || right(hex, 4))::bit(64)::bigint, $1::bigint
  from (select replace(gen_random_uuid()::text, '-', '') as hex) as random
on conflict do nothing;

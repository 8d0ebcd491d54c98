insert into ampel.partition (partition)
select generate_series(0, partitions - 1) from ampel.system
on conflict do nothing;

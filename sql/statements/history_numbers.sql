insert into ampel.stream_number (tenant, stream, next)
select tenant, 'scores', max(number) + 1 from pg_temp.staging_history group by tenant order by tenant
on conflict (tenant, stream) do update set next = greatest(stream_number.next, excluded.next);

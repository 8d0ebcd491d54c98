insert into ampel.stream_number (tenant, stream, next)
select tenant, 'alerts', max(number) + 1 from pg_temp.staging_alert group by tenant order by tenant
on conflict (tenant, stream) do update set next = greatest(stream_number.next, excluded.next);

-- $1 partition.
insert into ampel.beside_row (tenant, seller, marketplace, partition, days_marked, days_below, days_to_lost,
                              professional, emergency_phone, eligible, near, today_below, banner, metrics, drifts,
                              missing, as_of)
select tenant, seller, marketplace, $1::bigint, days_marked, days_below, days_to_lost, professional, emergency_phone,
       eligible, near, today_below, banner, metrics, drifts, missing, as_of
  from pg_temp.staging_beside order by tenant, seller, marketplace
on conflict (tenant, seller, marketplace) do update
   set partition = excluded.partition, days_marked = excluded.days_marked, days_below = excluded.days_below,
       days_to_lost = excluded.days_to_lost, professional = excluded.professional,
       emergency_phone = excluded.emergency_phone, eligible = excluded.eligible, near = excluded.near,
       today_below = excluded.today_below, banner = excluded.banner, metrics = excluded.metrics,
       drifts = excluded.drifts, missing = excluded.missing, as_of = excluded.as_of;

-- $1 partition, $2 rules version.
insert into ampel.outlook_row (tenant, seller, marketplace, partition, fixes, steps, to_green, green_known, fixes_total,
                               steps_total, caps, as_of, rules_version)
select tenant, seller, marketplace, $1::bigint, fixes, steps, to_green, green_known, fixes_total, steps_total, caps, as_of,
       $2::text
  from pg_temp.staging_outlook order by tenant, seller, marketplace
on conflict (tenant, seller, marketplace) do update
   set partition = excluded.partition, fixes = excluded.fixes, steps = excluded.steps, to_green = excluded.to_green,
       green_known = excluded.green_known, fixes_total = excluded.fixes_total, steps_total = excluded.steps_total,
       caps = excluded.caps,
       as_of = excluded.as_of, rules_version = excluded.rules_version;

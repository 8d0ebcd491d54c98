-- Where stored rows differ from those that the pages of a partition make, which stand in the staging tables: every column
-- that verify_ratings.sql and verify_violations.sql do not give. What depends on order counts or on the hour is compared
-- in rows of the same instant, or where all is to be exact. Rows are compared whole first ("offset 0" keeps each of the two
-- from being made once a column), and taken apart where they differ. $1 partition, $2 exact.
with difference as (
    select 'rating of' as what, r.tenant || '/' || r.seller || '/' || r.marketplace as name, c.key as field, c.value as found,
           p.made -> c.key as made
      from pg_temp.staging_rating as s
      join ampel.rating_row as r using (tenant, seller, marketplace)
     cross join lateral (select to_jsonb(r) - left_out as found, to_jsonb(s) - left_out as made
                           from (values ('{partition,score,status,risk,orders,order_points,deducted,criticals,caps,as_of,
                                           rules_version,outlook}'::text[])) as names (left_out) offset 0) as p
     cross join lateral jsonb_each(p.found) as c
     where r.partition = $1::bigint and ($2::boolean or r.as_of = s.as_of) and p.found <> p.made
    union all
    -- Rows from before there were outlooks have none until they are written again.
    select 'outlook of', r.tenant || '/' || r.seller || '/' || r.marketplace, c.key, c.found, c.made
      from pg_temp.staging_rating as s
      join ampel.rating_row as r using (tenant, seller, marketplace)
     cross join lateral (select key, f.value as found, m.value as made
                           from jsonb_each(coalesce(r.outlook, '{}')::jsonb) as f
                           full join jsonb_each(s.outlook::jsonb) as m using (key)) as c
     where r.partition = $1::bigint and ($2::boolean or r.as_of = s.as_of and r.outlook is not null)
       and r.outlook is distinct from s.outlook
    union all
    select 'violation', v.id || ' of ' || v.tenant || '/' || v.seller || '/' || v.marketplace, c.key, c.value,
           p.made -> c.key
      from pg_temp.staging_violation as s
      join ampel.violation_row as v using (tenant, seller, marketplace, id)
     cross join lateral (select to_jsonb(v) - left_out as found, to_jsonb(s) - left_out as made
                           from (values ('{partition,policy,severity,state,at,expires_at,rank,points}'::text[]))
                                as names (left_out) offset 0) as p
     cross join lateral jsonb_each(p.found) as c
     where v.partition = $1::bigint and p.found <> p.made
    union all
    -- Days move at midnight, and rows with them only where the profile is complete.
    select 'what stands beside', b.tenant || '/' || b.seller || '/' || b.marketplace, c.key, c.value, p.made -> c.key
      from pg_temp.staging_beside as s
      join ampel.beside_row as b using (tenant, seller, marketplace)
     cross join lateral (select to_jsonb(b) - '{partition,as_of}'::text[] as found, to_jsonb(s) - 'as_of' as made offset 0) as p
     cross join lateral jsonb_each(p.found) as c
     where b.partition = $1::bigint and p.found <> p.made
       and (c.key in ('professional', 'emergency_phone', 'banner', 'metrics', 'drifts', 'missing')
            or date_trunc('day', b.as_of, 'UTC') = date_trunc('day', s.as_of, 'UTC')
            or s.professional and s.emergency_phone)
), row_alone as (
    select 'what stands beside' as what, tenant || '/' || seller || '/' || marketplace as name, to_jsonb(b) as found,
           to_jsonb(s) as made
      from (select * from ampel.beside_row where partition = $1::bigint) as b
      full join pg_temp.staging_beside as s using (tenant, seller, marketplace)
)
select what, name, field, left(coalesce(found #>> '{}', 'null'), 200), left(coalesce(made #>> '{}', 'null'), 200)
  from difference where found is distinct from made
union all
-- Rows that are not there yet come with the ten minutes after a start.
select what, name, null, left(found::text, 1), null
  from row_alone where made is null or found is null and $2::boolean
 order by 1, 2, 3;

-- Clocks that run out within $3 hours, or have, and that nobody was reminded of in this stretch (three days, one day, over).
-- $1 tenant or '', $2 id or ''.
with due as (
    select k.tenant, k.id, k.clock, coalesce(k.seller || '/' || k.marketplace, '') as store, k.runs_out, k.what, k.certainty,
           case when k.runs_out <= now() then 'over' when k.runs_out <= now() + interval '1 day' then 'day' else 'days' end
               as stretch
      from ampel.case_clock as k join ampel.case_row as c on c.tenant = k.tenant and c.id = k.id
     where k.settled_at is null and k.runs_out <= now() + make_interval(hours => $3::bigint::integer)
       and (c.closed_at is null or k.clock = 'watch')
       and ($1::text = '' or k.tenant = $1::text) and ($2::text = '' or k.id = $2::text)
)
select d.tenant, d.id, d.clock, d.store, d.runs_out, d.what, d.certainty, d.clock || ' ' || d.store || ' ' || d.stretch
  from due as d
 where not exists (select from ampel.case_log_row as l where l.tenant = d.tenant and l.id = d.id and l.kind = 'reminded'
                      and l.what = d.clock || ' ' || d.store || ' ' || d.stretch and l.moment = d.runs_out)
 order by d.runs_out, d.tenant, d.id, d.clock, d.store;

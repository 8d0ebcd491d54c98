-- The clocks of one case, or of all of a tenant or of all tenants. $1 tenant or '', $2 id or ''.
select k.tenant, k.id, k.clock, coalesce(k.seller || '/' || k.marketplace, ''), k.starts, k.earliest_at, k.runs_out, k.what,
       k.certainty, k.settled_at
  from ampel.case_clock as k
 where ($1::text = '' or k.tenant = $1::text) and ($2::text = '' or k.id = $2::text)
 order by k.tenant, k.id, k.runs_out, k.clock, 4;

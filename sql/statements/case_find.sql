-- Cases by id, of one tenant or of any. $1 tenant or '', $2 id.
select tenant, id, state, compromised_from, opened_at, contained_at, closed_at
  from ampel.case_row where ($1::text = '' or tenant = $1::text) and id = $2::text order by tenant;

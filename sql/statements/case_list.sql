-- All cases of one tenant or of all, those not closed first. $1 tenant or '', $2 whether closed ones, too.
select tenant, id, state, compromised_from, opened_at, accounts, steps_settled, coalesce(next_step, 0)::bigint, next_clock,
       watched_until, unsent,
       (select string_agg(a.seller || '/' || a.marketplace, ' ' order by a.seller, a.marketplace)
          from ampel.case_account_row as a where a.tenant = c.tenant and a.id = c.id)
  from ampel.incident_case as c
 where ($1::text = '' or tenant = $1::text) and ($2::boolean or state <> 'closed')
 order by state = 'closed', opened_at desc, tenant, id;

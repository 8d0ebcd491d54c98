-- Steps that were done because this one was. $1 tenant, $2 id, $3 step.
select coalesce(string_agg(s.step::text, ' ' order by s.step), '')
  from ampel.case_step as s join ampel.recovery_step as r using (step)
 where s.tenant = $1::text and s.id = $2::text and $3::bigint = any (r.after) and s.state in ('done', 'not_needed');

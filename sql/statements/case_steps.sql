-- $1 tenant, $2 id.
select step::bigint, phase, title, evidence, state, done_at, coalesce(by, ''), coalesce(note, ''), coalesce(owner, ''),
       array_to_string(waits_for, ' '), (select r.waivable from ampel.recovery_step as r where r.step = s.step)
  from ampel.case_step as s where tenant = $1::text and id = $2::text order by step;

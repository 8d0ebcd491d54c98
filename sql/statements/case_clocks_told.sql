-- What is to be told of the clocks that a step or a word moves: until when each runs (null: as is known without it), and whether it
-- is settled. $1 tenant, $2 id, $3 step or 0, $4 what starts or settles one or '', $5 whether this settles it.
select k.clock, v.runs_out, coalesce(v.settled_at is not null, $5::boolean) and (v.clock is not null or k.settled_by = $3::bigint
       or k.clock = $4::text)
  from ampel.recovery_clock as k
  left join ampel.case_clock as v on v.tenant = $1::text and v.id = $2::text and v.clock = k.clock and v.seller is null
 where k.settled_by = $3::bigint or k.starts_with = 'step_' || $3::bigint or k.starts_with = $4::text or k.clock = $4::text
 order by k.clock;

-- What to fix first and the forecast stand in the row of the rating, as text (ADR 640). Both were always written together, so
-- one row is found, locked and replaced where two were; and JSON that PostgreSQL only keeps need not be read by it: the views
-- do that for whoever asks. caps becomes text for the same reason.
--
-- The outlook is an object; names stand in it as words. Times are milliseconds since 1970.
--   fixes        [[id, score, raw, then both, status and risk after approval, then the same four after acknowledgement], ...]
--   fixes_total  with those that are not stored
--   to_green     ids of a smallest set whose approval brings green; null where none does, or where it was not looked for
--   green_known  whether it was: at most 12 violations deduct
--   steps        [[at, score, status, risk, cause], ...], with the id where one violation leaves
--   steps_total  with those that are not stored
--   caps         [[group, count, limit, falls at, below the limit at or null], ...] of groups that count anything
--
-- The key begins with the partition: a checkpoint writes one partition in the order of its accounts, which then are neighbours in
-- the index; then come sellers, which differ, so that one comparison tells two accounts apart. Whoever asks for an account has an index of its own; both are left alone while rows change in their blocks.
--
-- Locks: access exclusive on ampel.rating_row while it is rewritten and indexed (some ten seconds for a million rows). Outlooks
-- are null until their rows are written again, which a start of the worker does within the time that rows for order counts
-- wait (ten minutes); ampel.fix, ampel.forecast and the repeats of ampel.deadline show nothing of them until then.

create or replace view ampel.rating with (security_invoker = true) as
    select tenant, seller, marketplace, score, status, risk, orders, order_points, deducted,
           null::integer as infringement_count, null::integer as restricted_count,
           as_of, rules_version, score_min, score_max, next_change_at, turns_green_at, turns_yellow_at, turns_red_at,
           score_without_incidents, coalesce(incidents_total, 0) as incidents
      from ampel.rating_row;
alter table ampel.rating_row
    alter column caps type text using caps::text,
    add column outlook text,
    drop constraint rating_row_primary,
    add constraint rating_row_primary primary key (partition, seller, tenant, marketplace);
create unique index rating_row_account on ampel.rating_row (tenant, seller, marketplace);
comment on column ampel.rating_row.outlook is
    'what to fix first, what time alone brings, how far caps are: JSON of at most 32 violations and 64 steps; views read it';
create or replace view ampel.rating with (security_invoker = true) as
    select tenant, seller, marketplace, score, status, risk, orders, order_points, deducted,
           coalesce((caps::jsonb ->> 'infringement')::integer, 0) as infringement_count,
           coalesce((caps::jsonb ->> 'restricted')::integer, 0) as restricted_count,
           as_of, rules_version, score_min, score_max, next_change_at, turns_green_at, turns_yellow_at, turns_red_at,
           score_without_incidents, coalesce(incidents_total, 0) as incidents
      from ampel.rating_row;

-- `offset 0` keeps one reading of the text a row.
create view ampel.outlook with (security_invoker = true) as
    select r.tenant, r.seller, r.marketplace, o.outlook -> 'fixes' as fixes, o.outlook -> 'steps' as steps,
           nullif(o.outlook -> 'to_green', 'null'::jsonb) as to_green, (o.outlook ->> 'green_known')::boolean as green_known,
           (o.outlook ->> 'fixes_total')::integer as fixes_total, (o.outlook ->> 'steps_total')::integer as steps_total,
           o.outlook -> 'caps' as caps, r.as_of, r.rules_version
      from ampel.rating_row as r cross join lateral (select r.outlook::jsonb as outlook offset 0) as o
     where r.outlook is not null;
comment on view ampel.outlook is
    'each account: a smallest set of violations whose approval brings green, and the lists behind ampel.fix and ampel.forecast';
select ampel.readable('ampel.outlook');

create or replace view ampel.fix with (security_invoker = true) as
    select o.tenant, o.seller, o.marketplace, f.place::integer as place, f.fix ->> 0 as id, v.policy, v.severity,
           v.state, v.points, v.rank, v.expires_at,
           (f.fix ->> 1)::integer as score, (f.fix ->> 2)::bigint as raw,
           (f.fix ->> 3)::integer as approved_score, (f.fix ->> 4)::bigint as approved_raw,
           f.fix ->> 5 as approved_status, f.fix ->> 6 as approved_risk,
           (f.fix ->> 7)::integer as acknowledged_score, (f.fix ->> 8)::bigint as acknowledged_raw,
           f.fix ->> 9 as acknowledged_status, f.fix ->> 10 as acknowledged_risk,
           o.to_green ? (f.fix ->> 0) as in_to_green,
           (v.at_risk_sales_cents * 0.01)::numeric(20, 2) as at_risk_sales,
           o.fixes_total - jsonb_array_length(o.fixes) as left_out, o.as_of, o.rules_version
      from ampel.outlook as o
     cross join lateral jsonb_array_elements(o.fixes) with ordinality as f(fix, place)
      left join ampel.violation_row as v
        on v.tenant = o.tenant and v.seller = o.seller and v.marketplace = o.marketplace and v.id = f.fix ->> 0;

create or replace view ampel.forecast with (security_invoker = true) as
    select o.tenant, o.seller, o.marketplace, s.place::integer as place,
           timestamptz 'epoch' + (s.step ->> 0)::bigint * interval '1 millisecond' as at,
           (s.step ->> 1)::integer as score, s.step ->> 2 as status, s.step ->> 3 as risk, s.step ->> 4 as cause,
           s.step ->> 5 as id, o.steps_total - jsonb_array_length(o.steps) as left_out, o.as_of, o.rules_version
      from ampel.outlook as o
     cross join lateral jsonb_array_elements(o.steps) with ordinality as s(step, place);

create or replace view ampel.deadline with (security_invoker = true) as
    select c.tenant, c.seller, c.marketplace, c.clock as kind, nullif(c.cap_group, '') as cap_group, null::text as id,
           c.starts, c.runs_out, c.resolved_at, null::integer as repeats, null::integer as repeats_limit,
           null::integer as repeats_left, null::timestamptz as below_limit_at
      from ampel.clock_row as c
    union all
    select v.tenant, v.seller, v.marketplace, 'expiry', null, v.id, v.at, v.expires_at, null, null, null, null, null
      from ampel.violation as v where v.deducting
    union all
    select o.tenant, o.seller, o.marketplace, 'repeats', c.cap ->> 0, null, null,
           timestamptz 'epoch' + (c.cap ->> 3)::bigint * interval '1 millisecond', null,
           (c.cap ->> 1)::integer, (c.cap ->> 2)::integer, greatest((c.cap ->> 2)::integer - (c.cap ->> 1)::integer, 0),
           timestamptz 'epoch' + (c.cap ->> 4)::bigint * interval '1 millisecond'
      from ampel.outlook as o cross join lateral jsonb_array_elements(o.caps) as c(cap);

drop table ampel.outlook_row;

-- What to fix first and what time alone brings, for each account, and the clocks that run.
-- Bounded: the first 32 violations to fix and 64 steps of an account are stored, and how many there are. A row is written
-- when the account's numbers or violations changed, so its lists are JSON, replaced as a whole, and views take them apart.
-- The clocks are read from what was told and from violations: nothing is stored for them.
--
-- Locks: none that anyone waits for, all is new. Rows: one an account, as it changes.

create table ampel.outlook_row (
    tenant text collate "C" not null,
    seller text collate "C" not null,
    marketplace text collate "C" not null,
    partition integer not null,
    fixes jsonb not null,
    steps jsonb not null,
    to_green jsonb,
    green_known boolean not null,
    fixes_total integer not null,
    steps_total integer not null,
    as_of timestamptz not null,
    rules_version text collate "C" not null,
    constraint outlook_row_primary primary key (tenant, seller, marketplace)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.1);
comment on column ampel.outlook_row.to_green is
    'ids of a smallest set whose approval brings green; null where none does, or where more than 12 deduct (green_known false)';
select ampel.protect('ampel.outlook_row', true);

create view ampel.fix with (security_invoker = true) as
    select o.tenant, o.seller, o.marketplace, f.place::integer as place, f.fix ->> 'id' as id, v.policy, v.severity,
           v.state, v.points, v.rank, v.expires_at,
           (f.fix ->> 'score')::integer as score, (f.fix ->> 'raw')::bigint as raw,
           (f.fix -> 'approved' ->> 'score')::integer as approved_score,
           (f.fix -> 'approved' ->> 'raw')::bigint as approved_raw,
           f.fix -> 'approved' ->> 'status' as approved_status, f.fix -> 'approved' ->> 'risk' as approved_risk,
           (f.fix -> 'acknowledged' ->> 'score')::integer as acknowledged_score,
           (f.fix -> 'acknowledged' ->> 'raw')::bigint as acknowledged_raw,
           f.fix -> 'acknowledged' ->> 'status' as acknowledged_status,
           f.fix -> 'acknowledged' ->> 'risk' as acknowledged_risk,
           o.to_green ? (f.fix ->> 'id') as in_to_green,
           (v.at_risk_sales_cents * 0.01)::numeric(20, 2) as at_risk_sales,
           o.fixes_total - jsonb_array_length(o.fixes) as left_out, o.as_of, o.rules_version
      from ampel.outlook_row as o
     cross join lateral jsonb_array_elements(o.fixes) with ordinality as f(fix, place)
      left join ampel.violation_row as v
        on v.tenant = o.tenant and v.seller = o.seller and v.marketplace = o.marketplace and v.id = f.fix ->> 'id';
comment on view ampel.fix is
    'what to fix first: each deducting violation of an account (the best 32), with what approval and acknowledgement bring';
select ampel.readable('ampel.fix');

create view ampel.forecast with (security_invoker = true) as
    select o.tenant, o.seller, o.marketplace, s.place::integer as place, (s.step ->> 'at')::timestamptz as at,
           (s.step ->> 'score')::integer as score, s.step ->> 'status' as status, s.step ->> 'risk' as risk,
           s.step ->> 'cause' as cause, s.step ->> 'id' as id,
           o.steps_total - jsonb_array_length(o.steps) as left_out, o.as_of, o.rules_version
      from ampel.outlook_row as o
     cross join lateral jsonb_array_elements(o.steps) with ordinality as s(step, place);
comment on view ampel.forecast is
    'the score if nothing new happens, step by step for 180 days (the next 64 of an account), each with its cause';
select ampel.readable('ampel.forecast');

-- The 72 hours begin with the alert that carries the deadline; they are over when the account leaves red, or is no longer at
-- immediate risk.
create view ampel.deadline with (security_invoker = true) as
    select a.tenant, a.seller, a.marketplace, a.kind as kind, a.cap_group, null::text as id, a.at as starts,
           a.deadline as runs_out,
           (select min(b.at) from ampel.alert_row as b
             where b.tenant = a.tenant and b.seller = a.seller and b.marketplace = a.marketplace
               and b.number > a.number
               and (a.kind = 'colour_changed' and b.kind = 'colour_changed' and b.status_before = 'red'
                    or a.kind = 'cap_reached' and b.kind = 'risk_changed' and b.risk_before = 'immediate')) as resolved_at
      from ampel.alert_row as a where a.deadline is not null and a.kind in ('colour_changed', 'cap_reached')
    union all
    select v.tenant, v.seller, v.marketplace, 'expiry', null, v.id, v.at, v.expires_at, null
      from ampel.violation as v where v.deducting;
comment on view ampel.deadline is
    'the clocks: 72 hours after red (colour_changed) or a cap (cap_reached), and the expiry of each deducting violation';
select ampel.readable('ampel.deadline');

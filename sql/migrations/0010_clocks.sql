-- The clocks of each account, as they ran: 72 hours after red, after a cap, after an assured account came into danger. Which ones
-- run is state of the engine; a row is one run of one clock. And how far each repeat cap is, beside what to fix first.
-- resolved_at is the time of the checkpoint that found the clock stopped: its condition ended at most that checkpoint's
-- distance earlier (the alerts tell the instant itself).
--
-- Locks: access exclusive on ampel.outlook_row, for a moment, as nothing is rewritten; what is made is new. Rows: one for each
-- time an account turns red or reaches a cap. They may be deleted by whoever keeps them long enough, once resolved.

create table ampel.clock_row (
    tenant text collate "C" not null,
    seller text collate "C" not null,
    marketplace text collate "C" not null,
    partition integer not null,
    clock text collate "C" not null,
    cap_group text collate "C" not null,
    starts timestamptz not null,
    runs_out timestamptz not null,
    resolved_at timestamptz,
    constraint clock_row_primary primary key (tenant, seller, marketplace, clock, cap_group, starts),
    constraint clock_row_clock check (clock in ('red', 'assurance', 'cap'))
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.1);
create index clock_row_running on ampel.clock_row (partition) where resolved_at is null;
comment on column ampel.clock_row.cap_group is 'of a cap; empty for the other clocks';
select ampel.protect('ampel.clock_row', true);

alter table ampel.outlook_row add column caps jsonb not null default '[]';
comment on column ampel.outlook_row.caps is 'each cap group that counts anything: count, limit, and when time alone lowers it';

drop view ampel.deadline;
create view ampel.deadline with (security_invoker = true) as
    select c.tenant, c.seller, c.marketplace, c.clock as kind, nullif(c.cap_group, '') as cap_group, null::text as id,
           c.starts, c.runs_out, c.resolved_at, null::integer as repeats, null::integer as repeats_limit,
           null::integer as repeats_left, null::timestamptz as below_limit_at
      from ampel.clock_row as c
    union all
    select v.tenant, v.seller, v.marketplace, 'expiry', null, v.id, v.at, v.expires_at, null, null, null, null, null
      from ampel.violation as v where v.deducting
    union all
    select o.tenant, o.seller, o.marketplace, 'repeats', c.cap_group, null, null, c.falls_at, null, c.count, c."limit",
           greatest(c."limit" - c.count, 0), c.below_at
      from ampel.outlook_row as o
     cross join lateral jsonb_to_recordset(o.caps) as c(cap_group text, count integer, "limit" integer,
                                                        falls_at timestamptz, below_at timestamptz);
comment on view ampel.deadline is
    'the clocks: red, cap and assurance, running or resolved; expiry: of each deducting violation; repeats: how far each cap is';
select ampel.readable('ampel.deadline');

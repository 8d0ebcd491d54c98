-- What was told: alerts and score changes, numbered for each tenant (the outbox, from which watchers catch up),
-- and events that only a shard could refuse.
--
-- Beside the columns that people read, a row keeps the message as it went over the wire (proto/message.h), so that what is
-- sent again from the outbox is the same, byte for byte, whatever columns come later.
-- Numbers have gaps where a crash took what was told but not stored; it is told again under a higher number.
-- History is partitioned by month; a month's table is made by the checkpoint that first needs it
-- (ampel.history_month_make), so there is no default partition that later months would have to be moved out of.
--
-- Locks: none that anyone waits for, all tables are new. Rows: one for each thing told.

create table ampel.stream_number (
    tenant text collate "C" not null,
    stream text collate "C" not null,
    next bigint not null,
    constraint stream_number_primary primary key (tenant, stream),
    constraint stream_number_stream check (stream in ('alerts', 'scores'))
) with (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);
comment on table ampel.stream_number is 'the number that the next alert or score change of a tenant gets';
select ampel.protect('ampel.stream_number', false);

create table ampel.alert_row (
    tenant text collate "C" not null,
    number bigint not null,
    epoch bigint not null,
    id uuid not null,
    at timestamptz not null,
    kind text collate "C" not null,
    seller text collate "C" not null,
    marketplace text collate "C" not null,
    partition integer not null,
    status_before text collate "C",
    status_after text collate "C" not null,
    score_before integer,
    score_after integer not null,
    risk_before text collate "C",
    risk_after text collate "C" not null,
    cap_group text collate "C",
    cause jsonb not null,
    deadline timestamptz,
    rules_version text collate "C" not null,
    message bytea not null,
    constraint alert_row_primary primary key (tenant, number),
    constraint alert_row_once unique (id)
);
create index alert_row_account on ampel.alert_row (tenant, seller, marketplace, at);
select ampel.protect('ampel.alert_row', true);

create view ampel.alert with (security_invoker = true) as
    select tenant, number, epoch, replace(id::text, '-', '') as id, at, kind, seller, marketplace, status_before,
           status_after, score_before, score_after, risk_before, risk_after, cap_group, cause, deadline, rules_version
      from ampel.alert_row;
comment on view ampel.alert is 'alerts as told; before is null where the account came into being';
select ampel.readable('ampel.alert');

create table ampel.history_row (
    tenant text collate "C" not null,
    number bigint not null,
    epoch bigint not null,
    id uuid not null,
    at timestamptz not null,
    seller text collate "C" not null,
    marketplace text collate "C" not null,
    partition integer not null,
    score integer not null,
    status text collate "C" not null,
    risk text collate "C" not null,
    orders bigint not null,
    order_points integer not null,
    deducted bigint not null,
    score_before integer,
    status_before text collate "C",
    risk_before text collate "C",
    cause text collate "C" not null,
    cause_id text collate "C",
    rules_version text collate "C" not null,
    message bytea not null,
    constraint history_row_primary primary key (tenant, number, at)
) partition by range (at);
create index history_row_account on ampel.history_row (tenant, seller, marketplace, at);
select ampel.protect('ampel.history_row', true);

create view ampel.rating_history with (security_invoker = true) as
    select tenant, number, epoch, replace(id::text, '-', '') as id, at, seller, marketplace, score, status, risk,
           orders, order_points, deducted, score_before, status_before, risk_before, cause, cause_id, rules_version
      from ampel.history_row;
comment on view ampel.rating_history is
    'each change of score, colour or risk; before is null where the account came into being';
select ampel.readable('ampel.rating_history');

-- Makes the table of a month where there is none. Runs as the owner, because ampel_worker cannot alter tables. A table is
-- made first and attached then, which stops neither readers nor writers of other months; the lock, held to the end of the
-- checkpoint, lets several that need the same month make it once.
create function ampel.history_month_make(month timestamp) returns void
    language plpgsql security definer set search_path = pg_catalog as $$
declare
    first_day date := date_trunc('month', month);
    name text := 'history_' || to_char(first_day, 'YYYY_MM');
    whole text := format('ampel.%I', name);
begin
    if to_regclass(whole) is not null then
        return;
    end if;
    -- Also makes this session see what others made meanwhile, which a lock that is no table's would not.
    lock table ampel.history_row in share update exclusive mode;
    if to_regclass(whole) is not null then
        return;
    end if;
    execute format('create table %s (like ampel.history_row including all)', whole);
    perform ampel.protect(whole::regclass, false);
    execute format('alter table ampel.history_row attach partition %s for values from (%L) to (%L)', whole,
                   first_day::text || ' 00:00:00+00', (first_day + interval '1 month')::date::text || ' 00:00:00+00');
end $$;
revoke all on function ampel.history_month_make(timestamp) from public;

create table ampel.refusal_row (
    number bigint generated always as identity not null,
    tenant text collate "C" not null,
    seller text collate "C" not null,
    marketplace text collate "C" not null,
    partition integer not null,
    producer text collate "C" not null,
    sequence numeric(20) not null,
    event_index bigint not null,
    verdict text collate "C" not null,
    type text collate "C" not null,
    field text collate "C",
    id text collate "C",
    at timestamptz not null,
    stamp timestamptz not null,
    position bigint not null,
    constraint refusal_row_primary primary key (number)
);
create index refusal_row_tenant on ampel.refusal_row (tenant, number);
select ampel.protect('ampel.refusal_row', true);

create view ampel.refusal with (security_invoker = true) as
    select tenant, number, stamp, seller, marketplace, producer, sequence, event_index, verdict, type, field, id, at
      from ampel.refusal_row;
comment on view ampel.refusal is 'events that were durable and then refused by what only their shard could know';
select ampel.readable('ampel.refusal');

do $$
begin
    if exists (select from pg_catalog.pg_roles where rolname = 'ampel_worker') then
        grant execute on function ampel.history_month_make(timestamp) to ampel_worker;
    end if;
end $$;

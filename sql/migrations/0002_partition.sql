-- What recovery reads: the system, its partitions with the log position each is stored at, their pages and meta.
-- No row here belongs to one tenant; only the owner and ampel_worker read them, but for the time of a partition.
--
-- Dead rows. A partition's row is updated at each checkpoint: much room in its few blocks and no index
-- on what changes keep the updates inside the block (HOT), where they are pruned on the way. Pages are compressed already, so
-- they are stored out of line as they are; their dead chunks are vacuumed early and without pauses.
--
-- Locks: none that anyone waits for, all tables are new. Rows: one in system and one for each partition, made by `ampel migrate`.

create table ampel.system (
    single boolean not null default true,
    id bigint not null,
    partitions integer not null,
    stream_epoch bigint not null default 0,
    created_at timestamptz not null default now(),
    constraint system_one_row primary key (single),
    constraint system_single check (single),
    constraint system_has_id check (id <> 0),
    constraint system_partitions check (partitions between 1 and 4096)
) with (fillfactor = 10);
comment on column ampel.system.id is 'random; the journal carries it, too (64 bits, shown signed)';
comment on column ampel.system.stream_epoch is 'of alerts and scores: one more at each start of a worker';

create table ampel.partition (
    partition integer not null,
    epoch bigint not null default 0,
    position bigint not null default 0,
    as_of timestamptz,
    rules_version text,
    refusals bigint not null default 0,
    stored_at timestamptz,
    constraint partition_primary primary key (partition)
) with (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);
comment on column ampel.partition.epoch is 'of the present owner; an older one can store no more';
comment on column ampel.partition.position is 'of the log: records at or after it are not stored yet';
comment on column ampel.partition.as_of is 'the time of the engine at that position';
comment on column ampel.partition.refusals is 'events refused by the partition, with those that have no row';

create table ampel.meta (
    partition integer not null,
    bytes bytea not null,
    constraint meta_primary primary key (partition),
    constraint meta_partition foreign key (partition) references ampel.partition (partition)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
        toast.autovacuum_vacuum_scale_factor = 0, toast.autovacuum_vacuum_threshold = 20000,
        toast.autovacuum_vacuum_cost_delay = 0);
alter table ampel.meta alter column bytes set storage external;

create table ampel.page (
    partition integer not null,
    page integer not null,
    position bigint not null,
    bytes bytea not null,
    constraint page_primary primary key (partition, page)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.1, autovacuum_vacuum_cost_delay = 0,
        toast.autovacuum_vacuum_scale_factor = 0.05, toast.autovacuum_vacuum_cost_delay = 0);
alter table ampel.page alter column bytes set storage external;
comment on column ampel.page.position is 'of the log that the page holds';

do $$
begin
    if exists (select from pg_catalog.pg_roles where rolname = 'ampel_worker') then
        grant select, update on ampel.system to ampel_worker;
        grant select, update on ampel.partition to ampel_worker;
        grant select, insert, update, delete on ampel.meta, ampel.page to ampel_worker;
    end if;
    if exists (select from pg_catalog.pg_roles where rolname = 'ampel_reader') then
        grant select (partition, as_of) on ampel.partition to ampel_reader;
    end if;
end $$;

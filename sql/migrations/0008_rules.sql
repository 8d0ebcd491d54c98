-- Rule sets that are set while the workers run. Each gets the next number; the workers take the newest one into the
-- log, and a partition remembers the number of the rules it stands under, so that what is read again after a restart meets
-- the rules that it met before. A set that a partition stands under can therefore not be deleted.
--
-- Locks: access exclusive on ampel.partition, for a moment, as nothing is rewritten (its rows are few). Rows: none.

create table ampel.rules (
    number bigint generated always as identity,
    version text collate "C" not null,
    text text not null,
    set_at timestamptz not null default now(),
    constraint rules_primary primary key (number),
    constraint rules_are_bounded check (octet_length(text) between 1 and 262144)
);
comment on table ampel.rules is 'rule sets as files, as ampel rules set gave them; the newest one counts for all accounts';
comment on column ampel.rules.version is 'as the text names itself; the number tells two sets of the same version apart';

alter table ampel.partition
    add column rules_number bigint,
    add column rules_recoloured bigint not null default 0,
    add constraint partition_rules foreign key (rules_number) references ampel.rules (number);
comment on column ampel.partition.rules_number is
    'of the rules at the position; null: those that the worker was started with';
comment on column ampel.partition.rules_recoloured is 'how many accounts changed their colour by these rules';

do $$
begin
    if exists (select from pg_catalog.pg_roles where rolname = 'ampel_worker') then
        grant select, insert on ampel.rules to ampel_worker;
    end if;
    if exists (select from pg_catalog.pg_roles where rolname = 'ampel_reader') then
        grant select on ampel.rules to ampel_reader;
    end if;
end $$;

-- What was applied here. The only objects that no migration makes.
create schema if not exists ampel;
create table if not exists ampel.migration (
    number integer not null,
    name text collate "C" not null,
    checksum text not null,
    applied_at timestamptz not null default now(),
    constraint migration_primary primary key (number),
    constraint migration_once unique (name)
);

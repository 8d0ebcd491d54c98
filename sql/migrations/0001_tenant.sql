-- Tenants, their keys, and the rule that a tenant sees its own rows only.
--
-- Two roles carry rights, none of them can log in: ampel_worker sees and writes all rows, ampel_reader may read the
-- views and the tables behind them. A tenant's role (ampel_tenant_<name>, made by ampel.tenant_role_make) is a member of ampel_reader;
-- whoever has it sees the rows of that tenant. Row security is forced, so it binds the owner, too: a policy of
-- its own lets the owner, who is not always a superuser, see everything.
-- Where the migrating role may not create roles these are left out; the owner works without them.
--
-- Locks: none that anyone waits for, all tables are new. Rows: none.

create function ampel.role_make(role name) returns boolean
    language plpgsql set search_path = pg_catalog as $$
begin
    if exists (select from pg_roles where rolname = role) then
        return true;
    end if;
    execute format('create role %I nologin', role);
    return true;
exception
    -- Roles belong to the cluster: another database may have made it at this moment.
    when duplicate_object or unique_violation then
        return true;
    when insufficient_privilege then
        raise notice 'role % is missing and may not be created', role;
        return false;
end $$;
comment on function ampel.role_make(name) is 'makes sure that a role exists, false where that is not allowed';
revoke all on function ampel.role_make(name) from public;

select ampel.role_make('ampel_worker'), ampel.role_make('ampel_reader');

create table ampel.tenant (
    tenant text collate "C" not null,
    role name,
    created_at timestamptz not null default now(),
    suspended_at timestamptz,
    constraint tenant_key_primary primary key (tenant),
    constraint tenant_is_an_id check (tenant ~ '^[!-.0-~]{1,64}$')
);
comment on column ampel.tenant.role is 'whoever has this role sees the tenant''s rows; null where none could be made';

create table ampel.tenant_key (
    public_key text collate "C" not null,
    tenant text collate "C" not null,
    created_at timestamptz not null default now(),
    revoked_at timestamptz,
    constraint tenant_key_of_one_tenant primary key (public_key),
    constraint tenant_key_tenant foreign key (tenant) references ampel.tenant (tenant),
    constraint tenant_key_is_z85 check (length(public_key) = 40)
);

-- The tenants whose rows a role sees. Runs as the owner, because tenants may not read ampel.tenant; the caller is an
-- argument, because current_user is the owner in here, and must be a role the session may take.
create function ampel.tenants_of(caller name) returns text[]
    language sql stable security definer set search_path = pg_catalog as $$
    select coalesce(array_agg(tenant.tenant), '{}')
      from ampel.tenant join pg_roles on pg_roles.rolname = tenant.role
     where pg_has_role(session_user, caller, 'member') and pg_has_role(caller, pg_roles.oid, 'usage')
$$;
comment on function ampel.tenants_of(name) is 'the tenants whose role the caller has';

-- Every table with a tenant column passes through here in the migration that makes it.
create function ampel.protect(relation regclass, readable boolean) returns void
    language plpgsql set search_path = pg_catalog as $$
begin
    execute format('alter table %s enable row level security', relation);
    execute format('alter table %s force row level security', relation);
    execute format('create policy owner_sees_all on %s to %I using (true) with check (true)', relation,
                   (select pg_get_userbyid(relowner) from pg_class where oid = relation));
    -- The subselect makes it one call for each query, not one for each row.
    execute format('create policy tenant_sees_own on %s for select '
                   'using (tenant = any ((select ampel.tenants_of(current_user))::text[]))', relation);
    if exists (select from pg_roles where rolname = 'ampel_worker') then
        execute format('create policy worker_sees_all on %s to ampel_worker using (true) with check (true)',
                       relation);
        execute format('grant select, insert, update, delete on %s to ampel_worker', relation);
    end if;
    if readable then
        perform ampel.readable(relation);
    end if;
end $$;
comment on function ampel.protect(regclass, boolean) is 'forces row security by tenant on a table';
revoke all on function ampel.protect(regclass, boolean) from public;

create function ampel.readable(relation regclass) returns void
    language plpgsql set search_path = pg_catalog as $$
begin
    if exists (select from pg_roles where rolname = 'ampel_reader') then
        execute format('grant select on %s to ampel_reader', relation);
    end if;
    if exists (select from pg_roles where rolname = 'ampel_worker') then
        execute format('grant select on %s to ampel_worker', relation);
    end if;
end $$;
comment on function ampel.readable(regclass) is 'lets ampel_reader and ampel_worker read a view or table';
revoke all on function ampel.readable(regclass) from public;

select ampel.protect('ampel.tenant', false), ampel.protect('ampel.tenant_key', false);

-- The role of a tenant: made where that is allowed, its name kept. Names of roles end at 63 bytes, tenants at 64.
create function ampel.tenant_role_make(of_tenant text) returns name
    language plpgsql set search_path = pg_catalog as $$
declare
    made name := case when octet_length('ampel_tenant_' || of_tenant) <= 63 then 'ampel_tenant_' || of_tenant
                     else 'ampel_tenant_' || md5(of_tenant) end;
begin
    if not ampel.role_make('ampel_reader') or not ampel.role_make(made) then
        return null;
    end if;
    begin
        execute format('grant ampel_reader to %I', made);
    exception when insufficient_privilege then
        raise notice 'role % may not be made a member of ampel_reader', made;
    end;
    update ampel.tenant set role = made where tenant = of_tenant;
    return made;
end $$;
revoke all on function ampel.tenant_role_make(text) from public;

do $$
begin
    if exists (select from pg_catalog.pg_roles where rolname = 'ampel_worker') then
        grant usage on schema ampel to ampel_worker;
        grant select on ampel.migration to ampel_worker;
        grant execute on function ampel.role_make(name), ampel.tenant_role_make(text) to ampel_worker;
    end if;
    if exists (select from pg_catalog.pg_roles where rolname = 'ampel_reader') then
        grant usage on schema ampel to ampel_reader;
    end if;
end $$;

-- What people read: a row for each account and for each known violation, and the views on them.
-- Names stand in the rows as text, so that a registry can grow without a migration.
-- Views run with the rights of who asks (security_invoker), so that row security sees the asker.
--
-- Locks: none that anyone waits for, all tables are new. Rows: one an account, one a violation.

create table ampel.rating_row (
    tenant text collate "C" not null,
    seller text collate "C" not null,
    marketplace text collate "C" not null,
    partition integer not null,
    score integer not null,
    status text collate "C" not null,
    risk text collate "C" not null,
    orders bigint not null,
    order_points integer not null,
    deducted bigint not null,
    criticals integer not null,
    caps jsonb not null,
    as_of timestamptz not null,
    rules_version text collate "C" not null,
    constraint rating_row_primary primary key (tenant, seller, marketplace)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.1);
comment on column ampel.rating_row.caps is 'counts of all cap groups of the rules by name';
select ampel.protect('ampel.rating_row', true);

create view ampel.rating with (security_invoker = true) as
    select tenant, seller, marketplace, score, status, risk, orders, order_points, deducted,
           coalesce((caps ->> 'infringement')::integer, 0) as infringement_count,
           coalesce((caps ->> 'restricted')::integer, 0) as restricted_count,
           as_of, rules_version
      from ampel.rating_row;
comment on view ampel.rating is
    'the rating of each account; as_of is the time at which the row was made, it holds until the next row (orders alone: ten minutes)';
select ampel.readable('ampel.rating');

create table ampel.violation_row (
    tenant text collate "C" not null,
    seller text collate "C" not null,
    marketplace text collate "C" not null,
    id text collate "C" not null,
    partition integer not null,
    policy text collate "C" not null,
    severity text collate "C" not null,
    severity_given text collate "C",
    state text collate "C" not null,
    at timestamptz not null,
    state_at timestamptz,
    cleared_since timestamptz,
    expires_at timestamptz not null,
    rank integer not null,
    points bigint not null,
    points_given integer,
    rev integer not null,
    critical boolean not null,
    state_deducts boolean not null,
    incident text collate "C",
    asin text collate "C",
    sku text collate "C",
    at_risk_sales_cents bigint,
    constraint violation_row_primary primary key (tenant, seller, marketplace, id)
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.1);
comment on column ampel.violation_row.state_deducts is
    'whether the state is one of those that deduct, at whatever time';
select ampel.protect('ampel.violation_row', true);

-- A violation leaves the window without any event and its row is not written again for that. So in_window and
-- deducting are told for the time of the engine at the partition's last checkpoint (as_of), not for the database's clock.
create view ampel.violation with (security_invoker = true) as
    select v.tenant, v.seller, v.marketplace, v.id, v.policy, v.severity, v.severity_given, v.state, v.at, v.state_at,
           v.cleared_since, v.rank, v.points, v.points_given, v.rev,
           coalesce(v.at <= p.as_of and p.as_of < v.expires_at, false) as in_window,
           coalesce(v.state_deducts and v.at <= p.as_of and p.as_of < v.expires_at, false) as deducting,
           v.critical, v.expires_at, v.incident, v.asin, v.sku,
           (v.at_risk_sales_cents * 0.01)::numeric(20, 2) as at_risk_sales, p.as_of
      from ampel.violation_row as v join ampel.partition as p using (partition);
comment on view ampel.violation is
    'each known violation; in_window and deducting hold at as_of, the engine''s time at the last checkpoint';
select ampel.readable('ampel.violation');

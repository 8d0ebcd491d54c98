-- What stands beside the score, a row for each account of which anything but orders and violations was told: Account
-- Health Assurance, delivery metrics, drift of the latest 64 reports, and what is missing of the latest report with
-- counts. Lists are jsonb, as they are read and written whole; the views make rows of them.
--
-- Locks: none but of what it makes. Rows: none; they come with the next checkpoint that finds the account changed.

create table ampel.beside_row (
    tenant text collate "C" not null,
    seller text collate "C" not null,
    marketplace text collate "C" not null,
    partition integer not null,
    days_marked integer not null,
    days_below integer not null,
    days_to_lost integer not null,
    professional boolean not null,
    emergency_phone boolean not null,
    eligible boolean not null,
    near boolean not null,
    today_below boolean not null,
    banner text collate "C" not null,
    metrics jsonb not null,
    drifts jsonb not null,
    missing jsonb not null,
    as_of timestamptz not null,
    constraint beside_row_primary primary key (tenant, seller, marketplace)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.1);
select ampel.protect('ampel.beside_row', true);

create view ampel.assurance with (security_invoker = true) as
    select tenant, seller, marketplace, eligible, near, days_marked, days_below, days_to_lost, professional,
           emergency_phone, today_below, as_of
      from ampel.beside_row;
comment on view ampel.assurance is
    'Account Health Assurance as of as_of: written anew at each midnight while it changes, where the profile is complete';
select ampel.readable('ampel.assurance');

create view ampel.metric with (security_invoker = true) as
    select b.tenant, b.seller, b.marketplace, m.name, m.at, m.value_ppm * 0.000001 as value,
           m.target_ppm * 0.000001 as target, m.condition, m.state, m.banner, b.banner as account_banner
      from ampel.beside_row as b,
           jsonb_to_recordset(b.metrics) as m (name text, at timestamptz, value_ppm bigint, target_ppm bigint,
                                               condition text, state text, banner text);
comment on view ampel.metric is
    'the latest of each delivery metric, with the target of its report; never part of the score. account_banner: the worst';
select ampel.readable('ampel.metric');

create view ampel.drift with (security_invoker = true) as
    select b.tenant, b.seller, b.marketplace, d.at, d.observed, d.score, d.drift, d.status, d.since, d.drift_before,
           d.unexplained
      from ampel.beside_row as b,
           jsonb_to_recordset(b.drifts) as d (at timestamptz, observed integer, score integer, drift integer, status text,
                                              since timestamptz, drift_before integer, unexplained boolean);
comment on view ampel.drift is
    'the latest 64 reports with a score: observed less modelled; unexplained: it changed since the report before, by nothing known';
select ampel.readable('ampel.drift');

create view ampel.missing with (security_invoker = true) as
    select b.tenant, b.seller, b.marketplace, m.policy, m.shown - m.known as missing, m.shown, m.known, m.at
      from ampel.beside_row as b,
           jsonb_to_recordset(b.missing) as m (policy text, at timestamptz, shown bigint, known bigint);
comment on view ampel.missing is
    'policies of which the latest report with counts shows more violations than are known';
select ampel.readable('ampel.missing');

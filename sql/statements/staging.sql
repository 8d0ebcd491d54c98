-- Where binary COPY writes to: COPY cannot write into tables with row security, and rows are merged from here in the
-- order of their keys. Session-long, emptied at each commit. What a partition of some ten thousand accounts writes stays in memory.
set temp_buffers = '64MB';
set work_mem = '32MB';
create temporary table staging_page (
    page integer, bytes bytea
) on commit delete rows;
alter table staging_page alter column bytes set storage external;
create temporary table staging_rating (
    tenant text collate "C", seller text collate "C", marketplace text collate "C",
    score integer, status text, risk text, orders bigint, order_points integer, deducted bigint, criticals integer,
    caps text, as_of timestamptz, score_min integer, score_max integer, next_change_at timestamptz,
    turns_green_at timestamptz, turns_yellow_at timestamptz, turns_red_at timestamptz,
    score_without_incidents integer, incidents jsonb, incidents_total integer, outlook text
) on commit delete rows;
create temporary table staging_violation (
    tenant text collate "C", seller text collate "C", marketplace text collate "C", id text collate "C",
    policy text, severity text, severity_given text, state text, at timestamptz, state_at timestamptz,
    cleared_since timestamptz, expires_at timestamptz, rank integer, points bigint, points_given integer, rev integer,
    critical boolean, state_deducts boolean, incident text, asin text, sku text, at_risk_sales_cents bigint
) on commit delete rows;
create temporary table staging_beside (
    tenant text collate "C", seller text collate "C", marketplace text collate "C",
    days_marked integer, days_below integer, days_to_lost integer, professional boolean, emergency_phone boolean,
    eligible boolean, near boolean, today_below boolean, banner text, metrics jsonb, drifts jsonb, missing jsonb,
    as_of timestamptz
) on commit delete rows;
create temporary table staging_gone (
    tenant text collate "C", seller text collate "C", marketplace text collate "C", id text collate "C"
) on commit delete rows;
create temporary table staging_alert (
    tenant text collate "C", number bigint, id uuid, at timestamptz, kind text, seller text, marketplace text,
    status_before text, status_after text, score_before integer, score_after integer, risk_before text,
    risk_after text, cap_group text, change jsonb, deadline timestamptz, rules_version text, message bytea
) on commit delete rows;
create temporary table staging_history (
    tenant text collate "C", number bigint, id uuid, at timestamptz, seller text, marketplace text,
    score integer, status text, risk text, orders bigint, order_points integer, deducted bigint,
    score_before integer, status_before text, risk_before text, cause text, cause_id text,
    rules_version text, message bytea
) on commit delete rows;
create temporary table staging_refusal (
    tenant text, seller text, marketplace text, producer text, sequence bigint, event_index bigint, verdict text,
    type text, field text, id text, at timestamptz, stamp timestamptz, position bigint
) on commit delete rows;
create temporary table staging_clock (
    tenant text collate "C", seller text collate "C", marketplace text collate "C", clocks jsonb, as_of timestamptz
) on commit delete rows;

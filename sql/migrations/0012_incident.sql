-- Takeover cases: what each did to an account's rating, beside the rating itself.
--
-- The rating's row carries the score without all incidents of the account and a list of them (the eight that matter most, as
-- JSON, replaced as a whole); the view takes it apart. Null: the account has none, or its row was not written since.
--
-- Locks: access exclusive on ampel.rating_row and ampel.rating, for a moment, as nothing is rewritten. Rows: none.

alter table ampel.rating_row
    add column score_without_incidents integer,
    add column incidents jsonb,
    add column incidents_total integer;
comment on column ampel.rating_row.score_without_incidents is
    'the score with what belongs to any takeover case left out; null where there is no case';

create or replace view ampel.rating with (security_invoker = true) as
    select tenant, seller, marketplace, score, status, risk, orders, order_points, deducted,
           coalesce((caps ->> 'infringement')::integer, 0) as infringement_count,
           coalesce((caps ->> 'restricted')::integer, 0) as restricted_count,
           as_of, rules_version, score_min, score_max, next_change_at, turns_green_at, turns_yellow_at, turns_red_at,
           score_without_incidents, coalesce(incidents_total, 0) as incidents
      from ampel.rating_row;

create view ampel.incident with (security_invoker = true) as
    select r.tenant, r.seller, r.marketplace, i.one ->> 'id' as id, i.one ->> 'phase' as phase,
           (i.one ->> 'opened_at')::timestamptz as opened_at, (i.one ->> 'compromised_from')::timestamptz as compromised_from,
           (i.one ->> 'contained_at')::timestamptz as contained_at, (i.one ->> 'closed_at')::timestamptz as closed_at,
           (i.one ->> 'closed_at')::timestamptz + interval '60 days' as watched_until,
           r.score, (i.one ->> 'score')::integer as score_without, i.one ->> 'status' as status_without,
           i.one ->> 'risk' as risk_without, (i.one ->> 'violations')::integer as violations,
           (i.one ->> 'deducting')::integer as deducting, (i.one ->> 'points')::bigint as points,
           (i.one ->> 'points_caused')::bigint as points_caused, (i.one ->> 'orders')::bigint as orders,
           (i.one ->> 'cancelled')::bigint as cancelled,
           array(select jsonb_array_elements_text(i.one -> 'dispute')) as dispute_first,
           r.incidents_total - jsonb_array_length(r.incidents) as left_out, r.as_of, r.rules_version
      from ampel.rating_row as r cross join lateral jsonb_array_elements(r.incidents) as i(one);
comment on view ampel.incident is
    'each takeover case of each account: its phases, the score without it, what it caused, and what to dispute first';
select ampel.readable('ampel.incident');

-- The way back, as cases: which stores, who did what when, with which evidence, which clocks run. Cases are kept by people, so
-- they are no part of the log; what is said of them can only be added to (ampel.case_log_row), never altered.
-- The 21 steps, what each waits for, and the clocks are rows, so that views, statements and programs read the same.

create table ampel.recovery_step (
    step integer not null,
    phase text collate "C" not null,
    title text not null,
    evidence text not null,
    after integer[] not null,
    waivable boolean not null,
    doable boolean not null,
    constraint recovery_step_primary primary key (step)
);
comment on table ampel.recovery_step is 'the steps back from a takeover in their order, and which others each waits for';
comment on column ampel.recovery_step.waivable is 'may be settled as not needed, with a reason';
comment on column ampel.recovery_step.doable is 'false: no step but a warning, never to be done';
insert into ampel.recovery_step (step, phase, title, evidence, after, waivable, doable) values
    (1, 'contain', 'Report the takeover to the marketplace at once, through every channel and by post', 'case ids, dated letters', '{}', false, true),
    (2, 'contain', 'Set the listings inactive (vacation); offers fulfilled by the marketplace stay live', 'screenshot', '{}', true, true),
    (3, 'sanitise', 'Scan the computer for malware or rebuild it', 'scan report', '{1}', true, true),
    (4, 'sanitise', 'Change ALL mail passwords first, those of secondary users, too', 'log', '{3}', false, true),
    (5, 'sanitise', 'THEN change the marketplace password of every user', 'log', '{4}', false, true),
    (6, 'sanitise', 'Change IMAP users and passwords at the mail provider', 'log', '{4}', true, true),
    (7, 'sanitise', 'Delete unknown addresses and forwardings at the mail provider', 'screenshot', '{4}', false, true),
    (8, 'sanitise', 'Replace the credit card, then have the old one blocked by marketplace and bank', 'letter of the bank', '{3}', true, true),
    (9, 'sanitise', 'Sign all devices out, two steps with an authenticator, check users, apps, bank account, store and offers', 'list of what was checked', '{5}', false, true),
    (10, 'communicate', 'Write down the root cause and the security concept', 'document', '{9}', false, true),
    (11, 'communicate', 'Letter to the performance team with a deadline: account, funds, orders, foreign products', 'order list, product list', '{10}', false, true),
    (12, 'communicate', 'Ask for a longer removal deadline of stored stock', 'letter', '{1}', true, true),
    (13, 'communicate', 'Describe the security concept and why it will not happen again', 'document', '{10}', false, true),
    (14, 'communicate', 'Plan for real customers and open orders', 'order list', '{1}', true, true),
    (15, 'communicate', 'Ask for removal of negative feedback from the intruder''s orders, elsewhere, too', 'list of feedback', '{1}', true, true),
    (16, 'orders', 'Cancel and refund the intruder''s orders that were not shipped', 'order list', '{5}', true, true),
    (17, 'escalate', 'Do NOT open a second account', '', '{}', false, false),
    (18, 'escalate', 'Lawyer if the deadline passes; criminal complaint against unknown', 'number of the complaint', '{11}', true, true),
    (19, 'verify', 'Identity, business licence, utility bill of the last 90 days, valid card, supplier invoices', 'documents', '{1}', true, true),
    (20, 'aftercare', 'Watch for another takeover; claim back what was paid out elsewhere', 'log', '{9}', false, true),
    (21, 'aftercare', 'Dispute each violation that the intruder caused, so that points and repeats go', 'violation ids', '{10}', true, true);
select ampel.readable('ampel.recovery_step');

create table ampel.recovery_clock (
    clock text collate "C" not null,
    starts_with text collate "C" not null,
    earliest_hours integer not null,
    hours integer not null,
    what text not null,
    certainty text not null,
    settled_by integer,
    constraint recovery_clock_primary primary key (clock),
    constraint recovery_clock_step foreign key (settled_by) references ampel.recovery_step (step),
    constraint recovery_clock_range check (0 <= earliest_hours and earliest_hours <= hours)
);
comment on table ampel.recovery_clock is 'clocks of a case: what starts each, how long it runs, and how sure that is';
comment on column ampel.recovery_clock.starts_with is
    'compromised, closed and deactivated are known of themselves, step_N is when that step was done, others are told with ampel incident clock';
insert into ampel.recovery_clock (clock, starts_with, earliest_hours, hours, what, certainty, settled_by) values
    ('lock', 'compromised', 0, 120, 'the marketplace locks the account', 'anecdotal', null),
    ('removal', 'deactivated', 0, 720, 'stored stock is disposed of', 'official', 12),
    ('removal_notice', 'stock_notice', 0, 720, 'stored stock is disposed of', 'official', 12),
    ('appeal', 'deactivated', 0, 408, 'the account may become permanently ineligible', 'older text, not in current notices', null),
    ('funds', 'deactivated', 1440, 1440, 'held funds may be requested', 'official, reposted', null),
    ('cure', 'breach_notice', 0, 168, 'a material breach can be cured', 'quoted by a law firm', null),
    ('ip_removal', 'ip_takedown', 0, 2160, 'removal is requested, then stock is destroyed', 'text of the notice', null),
    ('contact', 'contact', 0, 72, 'protection is lost without an answer', 'official, reposted', null),
    ('review', 'review', 0, 720, 'listings and disbursement are limited at most so long', 'official', null),
    ('letter', 'step_11', 0, 336, 'the deadline set in the letter passes', 'set by yourselves', 18),
    ('file', 'step_18', 672, 1008, 'the lawyer can inspect the file', 'law firm', null),
    ('watch', 'closed', 1440, 1440, 'closer watch for another takeover ends', 'rule of the model', null);
select ampel.readable('ampel.recovery_clock');

create table ampel.case_row (
    tenant text collate "C" not null,
    id text collate "C" not null,
    state text collate "C" not null,
    compromised_from timestamptz not null,
    opened_at timestamptz not null,
    contained_at timestamptz,
    closed_at timestamptz,
    constraint case_row_primary primary key (tenant, id),
    constraint case_row_state check (state in ('opened', 'contained', 'closed')),
    constraint case_row_id check (id ~ '^[!-.0-~]{1,64}$' and id <> '-')
);
select ampel.protect('ampel.case_row', true);

create table ampel.case_account_row (
    tenant text collate "C" not null,
    id text collate "C" not null,
    seller text collate "C" not null,
    marketplace text collate "C" not null,
    constraint case_account_row_primary primary key (tenant, id, seller, marketplace),
    constraint case_account_row_case foreign key (tenant, id) references ampel.case_row (tenant, id)
);
create index case_account_row_account on ampel.case_account_row (tenant, seller, marketplace);
select ampel.protect('ampel.case_account_row', true);

create table ampel.case_log_row (
    tenant text collate "C" not null,
    id text collate "C" not null,
    number bigint not null,
    at timestamptz not null default clock_timestamp(),
    by text not null,
    kind text collate "C" not null,
    step integer,
    what text,
    moment timestamptz,
    note text,
    file_name text,
    file_size bigint,
    file_sha256 text collate "C",
    constraint case_log_row_primary primary key (tenant, id, number),
    constraint case_log_row_case foreign key (tenant, id) references ampel.case_row (tenant, id),
    constraint case_log_row_step foreign key (step) references ampel.recovery_step (step),
    constraint case_log_row_kind check (kind in ('opened', 'account', 'contained', 'closed', 'step_done', 'step_not_needed',
        'step_reopened', 'owner', 'note', 'evidence', 'clock_start', 'clock_settled', 'product', 'tagged', 'reminded')),
    constraint case_log_row_evidence check ((kind = 'evidence') = (file_sha256 is not null)),
    constraint case_log_row_sha256 check (file_sha256 ~ '^[0-9a-f]{64}$')
);
comment on table ampel.case_log_row is 'who did what when; rows are added and never altered';
comment on column ampel.case_log_row.moment is 'when it was done, where that is not when it was written down';
select ampel.protect('ampel.case_log_row', true);

create function ampel.case_log_stands() returns trigger
    language plpgsql set search_path = pg_catalog as $$
begin
    raise exception 'what was written down of a case is never altered or deleted';
end $$;
revoke all on function ampel.case_log_stands() from public;
create trigger case_log_stands before update or delete on ampel.case_log_row
    for each row execute function ampel.case_log_stands();
create trigger case_log_stands_whole before truncate on ampel.case_log_row
    for each statement execute function ampel.case_log_stands();

-- Events of a case on their way to the worker: kept until it has them, sent under the same sequence however often.
create table ampel.case_event_row (
    tenant text collate "C" not null,
    sequence bigint not null,
    id text collate "C" not null,
    lines text not null,
    sent_at timestamptz not null,
    acked_at timestamptz,
    constraint case_event_row_primary primary key (tenant, sequence),
    constraint case_event_row_case foreign key (tenant, id) references ampel.case_row (tenant, id)
);
select ampel.protect('ampel.case_event_row', true);

create view ampel.case_step with (security_invoker = true) as
    select c.tenant, c.id, s.step, s.phase, s.title, s.evidence,
           case when not s.doable then 'warning' when l.kind = 'step_done' then 'done'
                when l.kind = 'step_not_needed' then 'not_needed' else 'open' end as state,
           case when l.kind in ('step_done', 'step_not_needed') then coalesce(l.moment, l.at) end as done_at,
           case when l.kind in ('step_done', 'step_not_needed') then l.by end as by, l.note, o.what as owner,
           coalesce((select array_agg(w.step order by w.step) from unnest(s.after) as w(step)
                      where not exists (
                          select from ampel.case_log_row as d
                           where d.tenant = c.tenant and d.id = c.id and d.step = w.step
                             and d.kind in ('step_done', 'step_not_needed')
                             and d.number = (select max(e.number) from ampel.case_log_row as e
                                              where e.tenant = c.tenant and e.id = c.id and e.step = w.step
                                                and e.kind in ('step_done', 'step_not_needed', 'step_reopened')))),
                    '{}') as waits_for
      from ampel.case_row as c cross join ampel.recovery_step as s
      left join lateral (select * from ampel.case_log_row as x
                          where x.tenant = c.tenant and x.id = c.id and x.step = s.step
                            and x.kind in ('step_done', 'step_not_needed', 'step_reopened')
                          order by x.number desc limit 1) as l on true
      left join lateral (select * from ampel.case_log_row as x
                          where x.tenant = c.tenant and x.id = c.id and x.step = s.step and x.kind = 'owner'
                          order by x.number desc limit 1) as o on true;
comment on view ampel.case_step is 'each of the 21 steps of each case: state, when and by whom, whose task it is, what it waits for';
select ampel.readable('ampel.case_step');

create view ampel.case_log with (security_invoker = true) as
    select tenant, id, number, at, by, kind, step, what, moment, note, file_name, file_size, file_sha256
      from ampel.case_log_row;
comment on view ampel.case_log is 'the history of each case: who did what when, with the evidence';
select ampel.readable('ampel.case_log');

create view ampel.case_clock with (security_invoker = true) as
    with trigger as (
        select tenant, id, 'compromised' as name, compromised_from as starts from ampel.case_row
        union all
        select tenant, id, 'closed', closed_at from ampel.case_row where closed_at is not null
        union all
        select tenant, id, 'step_' || step, done_at from ampel.case_step where state = 'done'
        union all
        select a.tenant, a.id, 'deactivated', min((i.one ->> 'deactivated_at')::timestamptz)
          from ampel.case_account_row as a join ampel.rating_row as r using (tenant, seller, marketplace)
         cross join lateral jsonb_array_elements(r.incidents) as i(one)
         where i.one ->> 'id' = a.id and i.one ? 'deactivated_at'
           and not exists (select from ampel.case_log_row as l where l.tenant = a.tenant and l.id = a.id
                              and l.kind = 'clock_start' and l.what = 'deactivated')
         group by a.tenant, a.id
        union all
        select tenant, id, what, moment
          from (select *, row_number() over (partition by tenant, id, what order by number desc) as newest
                  from ampel.case_log_row where kind = 'clock_start') as told where newest = 1
    )
    select t.tenant, t.id, k.clock, null::text as seller, null::text as marketplace, t.starts,
           t.starts + make_interval(hours => k.earliest_hours) as earliest_at,
           t.starts + make_interval(hours => k.hours) as runs_out,
           t.starts + make_interval(hours => k.hours) - now() as time_left, k.what, k.certainty,
           coalesce((select max(l.at) from ampel.case_log_row as l where l.tenant = t.tenant and l.id = t.id
                        and l.kind = 'clock_settled' and l.what = k.clock),
                    (select s.done_at from ampel.case_step as s where s.tenant = t.tenant and s.id = t.id
                        and s.step = k.settled_by and s.state <> 'open'),
                    case when k.clock = 'lock' then c.contained_at end) as settled_at
      from trigger as t join ampel.recovery_clock as k on k.starts_with = t.name
      join ampel.case_row as c on c.tenant = t.tenant and c.id = t.id
    union all
    select a.tenant, a.id, d.kind, a.seller, a.marketplace, d.starts, d.starts, d.runs_out, d.runs_out - now(),
           case d.kind when 'red' then 'deactivation: the account is red' when 'cap' then 'deactivation: a cap is reached'
                       else 'protection is lost without an answer' end,
           'official (notice)', d.resolved_at
      from ampel.case_account_row as a join ampel.case_row as c using (tenant, id)
      join ampel.deadline as d using (tenant, seller, marketplace)
     where d.kind in ('red', 'assurance', 'cap') and d.starts >= c.compromised_from
       and (c.closed_at is null or d.starts < c.closed_at);
comment on view ampel.case_clock is
    'the clocks of each case: when each starts, runs out and was settled, what happens then, and how sure that is';
select ampel.readable('ampel.case_clock');

create view ampel.incident_case with (security_invoker = true) as
    select c.tenant, c.id, c.state, c.compromised_from, c.opened_at, c.contained_at, c.closed_at,
           c.closed_at + interval '60 days' as watched_until,
           (select count(*) from ampel.case_account_row as a where a.tenant = c.tenant and a.id = c.id) as accounts,
           (select count(*) from ampel.case_step as s where s.tenant = c.tenant and s.id = c.id
               and s.state in ('done', 'not_needed')) as steps_settled,
           (select min(s.step) from ampel.case_step as s where s.tenant = c.tenant and s.id = c.id
               and s.state = 'open' and s.waits_for = '{}') as next_step,
           (select min(k.runs_out) from ampel.case_clock as k where k.tenant = c.tenant and k.id = c.id
               and k.settled_at is null and k.runs_out > now()) as next_clock,
           exists (select from ampel.case_event_row as e where e.tenant = c.tenant and e.id = c.id
               and e.acked_at is null) as unsent
      from ampel.case_row as c;
comment on view ampel.incident_case is 'each takeover case: its phases, how far the way back is, the next clock';
select ampel.readable('ampel.incident_case');

-- Suspicions that somebody else works in an account: what speaks for them goes along with the alert that told of them, and a
-- view has those that last. An alert of another kind has none of the three columns.
-- Which suspicion is current is read from what was told last of the account, by an index of these alerts alone, which are few.
--
-- Locks: alert_row for as long as three columns without a default take to add and, where alerts are many, the index to be
-- built (it reads the table once). Rows: none is written.

alter table ampel.alert_row
    add column since timestamptz,
    add column weight integer,
    add column signals jsonb;
comment on column ampel.alert_row.since is 'takeover_*: when the suspicion was told first; with the account its name';
comment on column ampel.alert_row.weight is 'takeover_*: the sum of the weights of its signals';
comment on column ampel.alert_row.signals is
    'takeover_*: what speaks for it, by time: kind, group, weight, at, last, derived (found by the engine)';
create index alert_row_takeover on ampel.alert_row (tenant, seller, marketplace, number desc)
    where kind in ('takeover_suspected', 'takeover_cleared');

create view ampel.takeover with (security_invoker = true) as
    select l.tenant, l.seller, l.marketplace, l.since, l.at as grew_at, l.weight, l.signals, l.rules_version,
           replace(l.id::text, '-', '') as alert
      from (select distinct on (tenant, seller, marketplace) *
              from ampel.alert_row where kind in ('takeover_suspected', 'takeover_cleared')
             order by tenant, seller, marketplace, number desc) as l
     where l.kind = 'takeover_suspected';
comment on view ampel.takeover is
    'accounts that somebody else is suspected to work in, with what speaks for it; since: told first, grew_at: told last';
select ampel.readable('ampel.takeover');

-- How sure each score is and what becomes of it by itself: the least and greatest score over the rules and their
-- variants, the first change that time alone brings, and the instants at which time alone turns the colour.
-- Nothing is known of rows that stand already: null until they are written again, which a start of the worker does
-- within the time that rows for order counts wait (ten minutes).
--
-- Locks: access exclusive on ampel.rating_row and ampel.rating, for a moment, as nothing is rewritten. Rows: none.

alter table ampel.rating_row
    add column score_min integer,
    add column score_max integer,
    add column next_change_at timestamptz,
    add column turns_green_at timestamptz,
    add column turns_yellow_at timestamptz,
    add column turns_red_at timestamptz;
comment on column ampel.rating_row.next_change_at is
    'the first change of the score that time alone brings within a window; null where there is none';
comment on column ampel.rating_row.turns_green_at is
    'the first instant at which time alone brings the account from another colour into this one; null where never';

create or replace view ampel.rating with (security_invoker = true) as
    select tenant, seller, marketplace, score, status, risk, orders, order_points, deducted,
           coalesce((caps ->> 'infringement')::integer, 0) as infringement_count,
           coalesce((caps ->> 'restricted')::integer, 0) as restricted_count,
           as_of, rules_version, score_min, score_max, next_change_at, turns_green_at, turns_yellow_at, turns_red_at
      from ampel.rating_row;

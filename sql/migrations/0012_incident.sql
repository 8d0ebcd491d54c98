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

-- From events to what counts at :as_of: the merges of the rating model. An event is a row
-- (account, type, moment, day, rev, n, id, policy, severity, points, state); type 0 order, 1 orders_day,
-- 2 violation, 3 violation_state, 9 any other. Two orders_day of a day compare by (rev, n), packed.
days as (
    select account, day, sum(case when type = 0 then n else 0 end) as added,
           max(case when type = 1 then rev * 16777216 + n end) as told
    from event
    where type <= 1 and moment <= :as_of and day > :today - 180
    group by account, day
), known as (
    select distinct account from event where moment <= :as_of
), versions as (
    select account, id, moment, policy, severity, points,
           row_number() over (partition by account, id
                              order by rev desc, moment desc, policy desc, severity desc, points desc) as place
    from event
    where type = 2 and moment <= :as_of
), states as (
    select account, id, state,
           min(case when state >= 5 then moment end) over (partition by account, id) as cleared_since,
           row_number() over (partition by account, id order by moment desc, state desc) as place
    from event
    where type = 3 and moment <= :as_of
), violations as (
    select v.account, v.id, v.moment, v.policy, v.points, coalesce(s.state, 0) as state, s.cleared_since,
           case when v.severity >= 0 then v.severity else p.severity end as severity, p.cap_group
    from versions v
    join policy p on p.code = v.policy
    left join states s on s.account = v.account and s.id = v.id and s.place = 1
    where v.place = 1
)

-- From violations to what they come to for each account under the default rules: repeat ranks, points, criticals, caps. Whole numbers only.
, current as (
    select * from violations where moment > :as_of - 15552000000
), repeats as (
    select v.account, v.id, count(*) as earlier
    from current v
    join violations u on u.account = v.account and u.policy = v.policy
    where u.severity > 0 and (u.moment < v.moment or (u.moment = v.moment and u.id < v.id)) and v.moment - u.moment < 15552000000
      and not (u.state >= 5 and u.cleared_since <= v.moment)
    group by v.account, v.id
), pointed as (
    select v.account, v.state, v.severity, v.cap_group,
           case when v.severity = 4 and v.points < 0 then 1 else 0 end as critical,
           case when v.points >= 0 then v.points
                when v.severity = 4 then 0
                else (case v.severity when 0 then 0 when 1 then 2 when 2 then 4 else 8 end)
                   * (case coalesce(r.earlier, 0) when 0 then 1 when 1 then 2 when 2 then 4 when 3 then 8 else 16 end)
           end as counted
    from current v
    left join repeats r on r.account = v.account and r.id = v.id
), burdened as (
    select account,
           sum(case when state < 4 then counted else 0 end) as deducted,
           sum(case when state < 4 then critical else 0 end) as criticals,
           sum(case when cap_group = 1 and severity > 0 and state < 5 then 1 else 0 end) as infringement,
           sum(case when cap_group = 2 and severity > 0 and state < 5 then 1 else 0 end) as restricted
    from pointed
    group by account
)

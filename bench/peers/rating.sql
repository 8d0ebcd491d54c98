-- From what counts (days, known, violations) to ratings under the default rules: repeat ranks, points,
-- orders, clamp, criticals, caps, colour, risk. Whole numbers only; x - x % y is what divides exactly.
, ordered as (
    select account, sum(case when told is not null then told % 16777216
                             when added > 16777215 then 16777215 else added end) as orders
    from days
    group by account
), current as (
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
), summed as (
    select k.account, coalesce(o.orders, 0) as orders,
           cast(4 * (coalesce(o.orders, 0) - coalesce(o.orders, 0) % 200) / 200 as bigint) as order_points,
           coalesce(b.deducted, 0) as deducted, coalesce(b.criticals, 0) as criticals,
           coalesce(b.infringement, 0) as infringement, coalesce(b.restricted, 0) as restricted
    from known k
    left join ordered o on o.account = k.account
    left join burdened b on b.account = k.account
), scored as (
    select account, orders, order_points, deducted, infringement, restricted,
           case when criticals > 0 or 200 + order_points - deducted < 0 then 0
                when 200 + order_points - deducted > 1000 then 1000
                else 200 + order_points - deducted end as score
    from summed
)
select account, score,
       case when score >= 200 then 'green' when score >= 100 then 'yellow' else 'red' end as status,
       case when infringement >= 5 or restricted >= 2 then 'immediate' when score < 100 then 'eligible'
            when score < 200 then 'at_risk' else 'none' end as risk,
       orders, order_points, deducted, infringement, restricted
from scored

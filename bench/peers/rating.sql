-- From what counts (days, known) and what violations come to (burdened) to ratings under the default rules: orders,
-- clamp, colour, risk. Whole numbers only; x - x % y is what divides exactly.
, ordered as (
    select account, sum(case when told is not null then told % 16777216
                             when added > 16777215 then 16777215 else added end) as orders
    from days
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

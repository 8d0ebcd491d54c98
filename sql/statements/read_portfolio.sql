-- The portfolio, worst first: those that may be deactivated now, by score, then all others by score. $1 tenant or '' for all,
-- $2 status or '', $3 how many rows at most. The last columns: the clock that runs out next (of red, a cap or assurance; one that ran
-- out only where no other runs), the milliseconds that were left of it when the partition was stored last, which it is, and
-- since when a takeover is suspected.
select r.tenant, r.seller, r.marketplace, r.score::bigint, r.status, r.risk, r.orders, r.order_points::bigint, r.deducted,
       r.caps::text, r.as_of, r.rules_version, r.score_min::bigint, r.score_max::bigint, d.runs_out,
       (extract(epoch from d.runs_out - d.now) * 1000)::bigint, d.kind, t.since
  from (select *
          from ampel.rating_row
         where ($1::text = '' or tenant = $1::text) and ($2::text = '' or status = $2::text)
         order by risk not in ('immediate', 'eligible'), score, risk = 'eligible',
                  tenant, seller, marketplace
         limit $3::bigint) as r
  left join lateral (select c.clock as kind, c.runs_out, p.as_of as now
                       from ampel.clock_row as c, ampel.partition as p
                      where c.tenant = r.tenant and c.seller = r.seller and c.marketplace = r.marketplace
                        and c.resolved_at is null and p.partition = r.partition
                      order by c.runs_out <= p.as_of, c.runs_out limit 1) as d on true
  left join ampel.takeover as t on t.tenant = r.tenant and t.seller = r.seller and t.marketplace = r.marketplace
 order by r.risk not in ('immediate', 'eligible'), r.score, r.risk = 'eligible',
          r.tenant, r.seller, r.marketplace;

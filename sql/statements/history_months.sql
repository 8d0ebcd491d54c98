-- Makes the tables of the months that are about to be written: one mostly, and then rows are looked at for their first and last
-- time alone.
select ampel.history_month_make(month)
  from (select min(at) as first, max(at) as last,
               date_trunc('month', min(at) at time zone 'UTC') = date_trunc('month', max(at) at time zone 'UTC') as one
          from pg_temp.staging_history) as span
 cross join lateral (select date_trunc('month', first at time zone 'UTC') as month where one
                      union
                     select date_trunc('month', at at time zone 'UTC') from pg_temp.staging_history where not one) as months
 where month is not null
 order by month;

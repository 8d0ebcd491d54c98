-- Makes the tables of the months that are about to be written.
select ampel.history_month_make(month)
  from (select distinct date_trunc('month', at at time zone 'UTC') as month from pg_temp.staging_history) as months
 order by month;

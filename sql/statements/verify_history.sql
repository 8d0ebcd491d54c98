-- Where history disagrees with itself. What is old may have been removed, so the first row that is kept may come from anywhere.
with chain as (
    select tenant, seller, marketplace, number, score_before, status_before, risk_before,
           lag(score) over account as score, lag(status) over account as status, lag(risk) over account as risk,
           lag(number) over account as number_before
      from ampel.history_row
    window account as (partition by tenant, seller, marketplace order by number)
), told as (
    select tenant, 'scores' as stream, number, id from ampel.history_row
    union all
    select tenant, 'alerts', number, id from ampel.alert_row
)
select 'history of ' || tenant || '/' || seller || '/' || marketplace as name,
       'number ' || number || ' begins at ' || coalesce(score_before || ' ' || status_before || ' ' || risk_before, 'nothing')
       || ', but number ' || number_before || ' ends at ' || score || ' ' || status || ' ' || risk as wrong
  from chain
 where number_before is not null
   and (score_before, status_before, risk_before) is distinct from (score, status, risk)
union all
select 'stream ' || tenant || '/' || stream, 'id ' || id || ' is there ' || count(*) || ' times'
  from told group by tenant, stream, id having count(*) > 1
union all
select 'stream ' || tenant || '/' || stream, 'number ' || number || ' is there ' || count(*) || ' times'
  from told group by tenant, stream, number having count(*) > 1
union all
select 'stream ' || t.tenant || '/' || t.stream, 'number ' || max(t.number) || ' was given, but the next is ' || coalesce(s.next, 0)
  from told as t left join ampel.stream_number as s using (tenant, stream)
 group by t.tenant, t.stream, s.next having max(t.number) >= coalesce(s.next, 0)
 order by 1, 2;

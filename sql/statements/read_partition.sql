-- All that is stored of a partition, in one snapshot: meta as page -1 with the rules that it stands under (text null: those that
-- the worker was started with), then the pages. $1 partition.
select -1::bigint as page, m.bytes, p.rules_version, r.text
  from ampel.meta as m join ampel.partition as p using (partition) left join ampel.rules as r on r.number = p.rules_number
 where m.partition = $1::bigint
union all
select g.page::bigint, g.bytes, null, null from ampel.page as g where g.partition = $1::bigint
 order by page;

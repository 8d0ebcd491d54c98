-- All that is stored of a partition, in one snapshot: meta as page -1, then the pages. $1 partition.
select -1::bigint as page, m.bytes, p.rules_version
  from ampel.meta as m join ampel.partition as p using (partition) where m.partition = $1::bigint
union all
select g.page::bigint, g.bytes, null from ampel.page as g where g.partition = $1::bigint
 order by page;

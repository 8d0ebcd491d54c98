-- How far a partition is stored. $1 partition.
select p.position, p.as_of, coalesce(p.rules_version, ''), m.bytes
  from ampel.partition as p left join ampel.meta as m using (partition)
 where p.partition = $1::bigint;

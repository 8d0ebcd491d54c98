-- How far a partition is stored, and under which rules (null: those that the worker was started with). $1 partition.
select p.position, p.as_of, coalesce(p.rules_version, ''), m.bytes, r.text
  from ampel.partition as p left join ampel.meta as m using (partition) left join ampel.rules as r on r.number = p.rules_number
 where p.partition = $1::bigint;

-- $1 number: partitions, how many of them stand under these rules, how many under newer ones, accounts that changed colour.
select count(*), count(*) filter (where rules_number = $1::bigint), count(*) filter (where rules_number > $1::bigint),
       coalesce(sum(rules_recoloured) filter (where rules_number = $1::bigint), 0)::bigint
  from ampel.partition;

-- $1 partition, $2 its epoch, $3 old and $4 new position, $5 as_of, $6 rules version, $7 refusals, $8 number of the rules
-- (0: those of the worker's start), $9 how many accounts changed colour by them, $10 the epoch of the streams: no row where
-- another owner or position is there, or a later worker has begun, whose numbers follow what was stored until then. Both
-- rows stay locked until the end of the transaction, so that a worker begins before it or after it.
with begun as materialized (select stream_epoch from ampel.system for share)
update ampel.partition
   set position = $4::bigint, as_of = $5::timestamptz, rules_version = $6::text, refusals = refusals + $7::bigint,
       rules_number = nullif($8::bigint, 0),
       rules_recoloured = case when rules_number is distinct from nullif($8::bigint, 0) then $9::bigint
                               else rules_recoloured end,
       stored_at = now()
 where partition = $1::bigint and epoch = $2::bigint and position = $3::bigint
   and (select stream_epoch from begun) = $10::bigint;

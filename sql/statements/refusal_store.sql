-- $1 partition. A sequence is a whole number of 64 bits without sign and comes as its bits.
insert into ampel.refusal_row (tenant, seller, marketplace, partition, producer, sequence, event_index, verdict, type,
                               field, id, at, stamp, position)
select tenant, seller, marketplace, $1::bigint, producer,
       case when sequence < 0 then sequence + 18446744073709551616 else sequence end, event_index, verdict, type,
       field, id, at, stamp, position
  from pg_temp.staging_refusal order by position, event_index;

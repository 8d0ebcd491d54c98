-- $1 tenant, $2 sequence.
update ampel.case_event_row set acked_at = now() where tenant = $1::text and sequence = $2::bigint and acked_at is null;

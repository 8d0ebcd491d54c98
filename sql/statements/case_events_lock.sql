-- Batches of one tenant get their numbers one at a time. $1 tenant.
select pg_advisory_xact_lock(hashtextextended('ampel.case_event_row/' || $1::text, 0))::text;

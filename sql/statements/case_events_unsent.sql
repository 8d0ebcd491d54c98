-- What the worker has not confirmed yet, in order. $1 tenant.
select sequence, lines, sent_at from ampel.case_event_row where tenant = $1::text and acked_at is null order by sequence;

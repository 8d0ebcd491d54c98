-- The next batch of a tenant's cases, without a gap. $1 tenant, $2 id, $3 lines, $4 sent at.
insert into ampel.case_event_row (tenant, sequence, id, lines, sent_at)
select $1::text, coalesce(max(sequence) + 1, 0), $2::text, $3::text, $4::timestamptz
  from ampel.case_event_row where tenant = $1::text
returning sequence;

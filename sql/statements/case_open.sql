-- $1 tenant, $2 id, $3 compromised from, $4 opened at.
insert into ampel.case_row (tenant, id, state, compromised_from, opened_at)
values ($1::text, $2::text, 'opened', $3::timestamptz, $4::timestamptz)
on conflict (tenant, id) do nothing;

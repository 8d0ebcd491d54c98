-- $1 tenant, $2 id, $3 seller, $4 marketplace.
insert into ampel.case_account_row (tenant, id, seller, marketplace)
values ($1::text, $2::text, $3::text, $4::text)
on conflict (tenant, id, seller, marketplace) do nothing;

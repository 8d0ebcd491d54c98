insert into ampel.tenant (tenant) values ($1::text) on conflict do nothing;

-- $1 tenant, $2 public key. No row where the key belongs to another tenant; a revoked key of this one is given back.
insert into ampel.tenant_key (public_key, tenant)
select $2::text, tenant from ampel.tenant where tenant = $1::text
on conflict (public_key) do update set revoked_at = null where tenant_key.tenant = excluded.tenant;

select public_key, created_at from ampel.tenant_key where tenant = $1::text and revoked_at is null
 order by created_at, public_key;

update ampel.tenant_key set revoked_at = coalesce(revoked_at, now()) where tenant = $1::text and public_key = $2::text;

select k.tenant, k.public_key, t.suspended_at is not null
  from ampel.tenant_key as k join ampel.tenant as t using (tenant)
 where k.revoked_at is null
 order by k.tenant, k.created_at, k.public_key;

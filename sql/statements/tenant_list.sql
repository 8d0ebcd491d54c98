select t.tenant, t.suspended_at is not null, coalesce(t.role::text, ''), t.created_at,
       (select count(*) from ampel.tenant_key as k where k.tenant = t.tenant and k.revoked_at is null),
       (select count(*) from ampel.rating_row as r where r.tenant = t.tenant)
  from ampel.tenant as t order by t.tenant;

-- Whether a tenant is known; for those who may read tenants. $1 tenant.
select exists (select from ampel.tenant where tenant = $1::text);

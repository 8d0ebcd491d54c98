select coalesce(ampel.tenant_role_make($1::text)::text, '');

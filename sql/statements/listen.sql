listen ampel_tenants;

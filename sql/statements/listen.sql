listen ampel_tenants; listen ampel_rules;

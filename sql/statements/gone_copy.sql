copy pg_temp.staging_gone (tenant, seller, marketplace, id) from stdin (format binary);

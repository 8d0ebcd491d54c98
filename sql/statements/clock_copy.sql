copy pg_temp.staging_clock (tenant, seller, marketplace, clocks, as_of) from stdin (format binary);

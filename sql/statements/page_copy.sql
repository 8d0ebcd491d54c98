copy pg_temp.staging_page (page, bytes) from stdin (format binary);

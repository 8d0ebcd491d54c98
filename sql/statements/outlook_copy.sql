copy pg_temp.staging_outlook (tenant, seller, marketplace, fixes, steps, to_green, green_known, fixes_total, steps_total,
                              caps, as_of)
from stdin (format binary);

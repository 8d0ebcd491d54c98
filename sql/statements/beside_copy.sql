copy pg_temp.staging_beside (tenant, seller, marketplace, days_marked, days_below, days_to_lost, professional,
                             emergency_phone, eligible, near, today_below, banner, metrics, drifts, missing, as_of)
from stdin (format binary);

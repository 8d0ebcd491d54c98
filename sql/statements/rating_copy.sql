copy pg_temp.staging_rating (tenant, seller, marketplace, score, status, risk, orders, order_points, deducted, criticals,
                             caps, as_of)
from stdin (format binary);

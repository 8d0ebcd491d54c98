copy pg_temp.staging_rating (tenant, seller, marketplace, score, status, risk, orders, order_points, deducted, criticals,
                             caps, as_of, score_min, score_max, next_change_at, turns_green_at,
                             turns_yellow_at, turns_red_at,
                             score_without_incidents, incidents, incidents_total, outlook)
from stdin (format binary);

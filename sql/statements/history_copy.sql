copy pg_temp.staging_history (tenant, number, id, at, seller, marketplace, score, status, risk, orders, order_points,
                              deducted, score_before, status_before, risk_before, cause, cause_id,
                              rules_version, message)
from stdin (format binary);

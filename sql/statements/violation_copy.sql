copy pg_temp.staging_violation (tenant, seller, marketplace, id, policy, severity, severity_given, state, at, state_at,
                                cleared_since, expires_at, rank, points, points_given, rev, critical, state_deducts,
                                incident, asin, sku, at_risk_sales_cents)
from stdin (format binary);

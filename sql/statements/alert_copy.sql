copy pg_temp.staging_alert (tenant, number, id, at, kind, seller, marketplace, status_before, status_after, score_before,
                            score_after, risk_before, risk_after, cap_group, change, deadline,
                            rules_version, message)
from stdin (format binary);

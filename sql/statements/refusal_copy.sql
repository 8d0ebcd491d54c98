copy pg_temp.staging_refusal (tenant, seller, marketplace, producer, sequence, event_index, verdict, type, field, id, at,
                              stamp, position)
from stdin (format binary);

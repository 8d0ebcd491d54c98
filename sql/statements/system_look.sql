select id, partitions::bigint from ampel.system;

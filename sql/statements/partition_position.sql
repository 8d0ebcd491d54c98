select epoch, position from ampel.partition where partition = $1::bigint;

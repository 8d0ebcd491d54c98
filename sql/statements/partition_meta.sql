select bytes from ampel.meta where partition = $1::bigint;

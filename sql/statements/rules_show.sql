select number, version, text, set_at from ampel.rules order by number desc limit 1;

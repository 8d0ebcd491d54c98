-- $1 version, $2 text.
insert into ampel.rules (version, text) values ($1::text, $2::text) returning number;

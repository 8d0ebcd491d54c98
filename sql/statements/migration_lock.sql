-- One `ampel migrate` at a time in this database.
select pg_advisory_lock(5643890123077);

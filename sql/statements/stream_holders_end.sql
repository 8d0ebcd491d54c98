-- Ends the connections of earlier workers that hold the system's row (the fence of a checkpoint), and says of each whether it could.
-- A worker that was paused in the middle of a COPY holds it for as long as its peer's kernel answers: PostgreSQL looks at no timeout there.
select pg_terminate_backend(pid) from pg_locks
 where locktype = 'relation' and database = (select oid from pg_database where datname = current_database())
   and relation = 'ampel.system'::regclass and mode = 'RowShareLock' and granted and pid <> pg_backend_pid();

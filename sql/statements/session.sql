-- What a worker's or command's session is held to. A paused client must not hold its locks for long, a dead one not at all,
-- and a commit that was answered must be on disk, whatever the server's default.
set search_path = pg_catalog, pg_temp;
set timezone = 'UTC';
set statement_timeout = '60s';
set lock_timeout = '10s';
set idle_in_transaction_session_timeout = '20s';
set tcp_keepalives_idle = 10;
set tcp_keepalives_interval = 5;
set tcp_keepalives_count = 3;
set tcp_user_timeout = '20s';
set client_min_messages = 'warning';
-- Statements are many and short; compiling one takes longer than running it.
set jit = off;
select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off';

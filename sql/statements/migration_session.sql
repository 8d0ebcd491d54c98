-- Migrations may run long, but must not queue behind a long reader while everyone queues behind them.
set search_path = pg_catalog, pg_temp;
set timezone = 'UTC';
set statement_timeout = 0;
set lock_timeout = '30s';
set idle_in_transaction_session_timeout = '60s';
set client_min_messages = 'warning';

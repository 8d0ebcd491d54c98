"""PostgreSQL alone, tuned as its users tune it: recomputed by one query, and kept up to date in batches of 1 000."""

import contextlib
import io
import pathlib
import sys
import tempfile

import psycopg2

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "deploy"))
from events import COLUMNS, QUERY, policies  # noqa: E402
from meter import Meter  # noqa: E402
from postgres import Cluster  # noqa: E402

SETTINGS = {"shared_buffers": "2GB", "work_mem": "512MB", "max_wal_size": "8GB", "checkpoint_timeout": "30min",
            "max_parallel_workers_per_gather": "2", "effective_cache_size": "8GB", "jit": "off"}
BATCH = 1000
EVENT = """account int, type smallint, moment bigint, day int, rev int, n int, id text collate "C", policy smallint,
           severity smallint, points int, state smallint"""
# What is kept: cells of days, versions of violations, their states, and each account's orders as a running sum beside what its
# violations come to. So a batch costs what it changes: an order its cell and its sum, a violation its account's violations again.
LIVE = """
create function cell(added bigint, told bigint) returns bigint immutable language sql
    return case when told is not null then told % 16777216 else least(added, 16777215) end;
create function score(orders bigint, deducted bigint, criticals bigint) returns bigint immutable language sql
    return case when criticals > 0 then 0 else greatest(0, least(1000, 200 + 4 * (orders / 200) - deducted)) end;
create table day_orders (account int, day int, added bigint, told bigint, primary key (account, day)) with (fillfactor = 70);
create table violation (account int, id text collate "C", rev int, moment bigint, policy smallint, severity smallint, points int,
                        primary key (account, id));
create table violation_state (account int, id text collate "C", moment bigint, state smallint, cleared_since bigint,
                              primary key (account, id));
create table rating (account int primary key, orders bigint not null default 0, deducted bigint not null default 0,
                     criticals bigint not null default 0, infringement bigint not null default 0, restricted bigint not null default 0,
                     score bigint generated always as (score(orders, deducted, criticals)) stored) with (fillfactor = 70);
"""
ORDERS = """
with added as materialized (
    select account, day, sum(case when type = 0 then n else 0 end) as added,
           max(case when type = 1 then rev::bigint * 16777216 + n end) as told
    from batch where type <= 1 group by account, day
), before as materialized (
    select a.account, a.day, d.added, d.told from added a join day_orders d on d.account = a.account and d.day = a.day
), stored as (
    insert into day_orders (account, day, added, told) select account, day, added, told from added order by account, day
    on conflict (account, day) do update set added = day_orders.added + excluded.added,
        told = greatest(day_orders.told, excluded.told)
    returning account, day, added, told
), moved as (
    select s.account, sum(cell(s.added, s.told) - cell(coalesce(b.added, 0), b.told)) as orders
    from stored s left join before b on b.account = s.account and b.day = s.day
    where s.day > :today - 180 group by s.account
)
insert into rating (account, orders)
    select k.account, coalesce(m.orders, 0) from (select distinct account from batch) k
    left join moved m on m.account = k.account order by k.account
    on conflict (account) do update set orders = rating.orders + excluded.orders where excluded.orders <> 0"""
FACTS = """
insert into violation (account, id, rev, moment, policy, severity, points)
    select distinct on (account, id) account, id, rev, moment, policy, severity, points from batch where type = 2
    order by account, id, rev desc, moment desc, policy desc, severity desc, points desc
    on conflict (account, id) do update set rev = excluded.rev, moment = excluded.moment, policy = excluded.policy,
        severity = excluded.severity, points = excluded.points
    where (excluded.rev, excluded.moment, excluded.policy, excluded.severity, excluded.points)
        > (violation.rev, violation.moment, violation.policy, violation.severity, violation.points);
insert into violation_state (account, id, moment, state, cleared_since)
    select distinct on (account, id) account, id, moment, state,
           min(case when state >= 5 then moment end) over (partition by account, id)
    from batch where type = 3 order by account, id, moment desc, state desc
    on conflict (account, id) do update set
        moment = case when (excluded.moment, excluded.state) > (violation_state.moment, violation_state.state) then excluded.moment else violation_state.moment end,
        state = case when (excluded.moment, excluded.state) > (violation_state.moment, violation_state.state) then excluded.state else violation_state.state end,
        cleared_since = least(violation_state.cleared_since, excluded.cleared_since)"""
BURDENED = """
with violations as (
    select v.account, v.id, v.moment, v.policy, v.points, coalesce(s.state, 0)::smallint as state, s.cleared_since,
           case when v.severity >= 0 then v.severity else p.severity end as severity, p.cap_group
    from (select distinct account from batch where type in (2, 3)) k join violation v on v.account = k.account
    join policy p on p.code = v.policy left join violation_state s on s.account = v.account and s.id = v.id
) {}
update rating r set deducted = b.deducted, criticals = b.criticals, infringement = b.infringement, restricted = b.restricted
    from burdened b where b.account = r.account"""
RATINGS = """
select account, score, case when score >= 200 then 'green' when score >= 100 then 'yellow' else 'red' end,
       case when infringement >= 5 or restricted >= 2 then 'immediate' when score < 100 then 'eligible'
            when score < 200 then 'at_risk' else 'none' end,
       orders, 4 * (orders / 200), deducted, infringement, restricted from rating"""


def bound(statement, task):
    return statement.replace(":as_of", str(task.as_of_ms)).replace(":today", str(task.today))


def fetched(rows):
    return {row[0]: (row[1], row[2], row[3]) + tuple(int(value) for value in row[4:]) for row in rows}


@contextlib.contextmanager
def server():
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(folder)
        cluster.start()
        with open(pathlib.Path(folder) / "data/postgresql.auto.conf", "a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in SETTINGS.items())
        cluster.stop()
        cluster.start()
        try:
            pid = int((pathlib.Path(folder) / "data/postmaster.pid").read_text().split()[0])
            yield cluster.url, pid
        finally:
            cluster.stop()


def prepared(url):
    connection = psycopg2.connect(url)
    cursor = connection.cursor()
    cursor.execute(f"create table event ({EVENT}); create table policy (code smallint primary key, cap_group smallint, severity smallint)")
    cursor.executemany("insert into policy values (%s, %s, %s)", [(i, group, severity) for i, (_, group, severity) in enumerate(policies())])
    connection.commit()
    return connection, cursor


def recompute(task):
    """Ratings by one query over a table of events; loading it is told apart."""
    with server() as (url, pid):
        connection, cursor = prepared(url)
        with Meter([pid]) as loading, open(task.path) as file:
            cursor.copy_expert("copy event from stdin (format csv, header)", file)
            connection.commit()
        connection.autocommit = True
        cursor.execute("vacuum analyze event")
        with Meter([pid]) as meter:
            cursor.execute(bound(QUERY, task))
            rows = cursor.fetchall()
        connection.close()
        return fetched(rows), meter, {"load_seconds": round(loading.seconds, 2)}


def incremental(task):
    """Every batch of 1 000 events in one transaction: facts merged, ratings of its accounts computed and stored."""
    with server() as (url, pid):
        connection, cursor = prepared(url)
        cursor.execute(f"create temp table batch ({EVENT}) on commit delete rows; {LIVE}")
        connection.commit()
        changes = bound(";".join((ORDERS, FACTS, BURDENED.format((HERE / "points.sql").read_text()))), task)
        with open(task.path) as file, Meter([pid]) as meter:
            assert file.readline().strip() == ",".join(COLUMNS)
            while lines := [line for _, line in zip(range(BATCH), file)]:
                lines = [line for line in lines if int(line.split(",", 3)[2]) <= task.as_of_ms]
                cursor.copy_expert("copy batch from stdin (format csv)", io.StringIO("".join(lines)))
                cursor.execute(changes)
                connection.commit()
        cursor.execute(RATINGS)
        rows = cursor.fetchall()
        connection.close()
        return fetched(rows), meter, {"batch": BATCH}

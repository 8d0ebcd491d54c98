"""SQLite: a table of events in a file, and one query."""

import contextlib
import csv
import os
import pathlib
import sqlite3
import tempfile

from events import QUERY, policies
from meter import Meter


def fill(connection, task):
    connection.executescript("""
        pragma journal_mode = wal; pragma synchronous = normal; pragma cache_size = -2000000; pragma temp_store = memory;
        pragma mmap_size = 4000000000; pragma threads = 2;
        create table policy (code integer primary key, cap_group int, severity int);
        create table event (account int, type int, moment int, day int, rev int, n int, id text, policy int, severity int, points int, state int);
    """)
    connection.executemany("insert into policy values (?, ?, ?)", [(i, group, severity) for i, (_, group, severity) in enumerate(policies())])
    with open(task.path, newline="") as file:
        rows = csv.reader(file)
        next(rows)
        connection.executemany("insert into event values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    connection.commit()


def recompute(task):
    """Ratings by one query; loading the file is told apart."""
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(sqlite3.connect(pathlib.Path(folder) / "events.db")) as connection:
        with Meter([os.getpid()]) as loading:
            fill(connection, task)
            connection.execute("create index event_kinds on event (type, account)")
            connection.execute("analyze")
        with Meter([os.getpid()]) as meter:
            rows = connection.execute(QUERY, {"as_of": task.as_of_ms, "today": task.today}).fetchall()
        return {row[0]: tuple(row[1:]) for row in rows}, meter, {"load_seconds": round(loading.seconds, 2)}

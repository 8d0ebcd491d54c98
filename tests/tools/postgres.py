#!/usr/bin/env python3
"""Runs a test against a PostgreSQL of its own.

    tests/tools/postgres.py COMMAND...

The command gets AMPEL_TEST_DATABASE_URL, an empty database whose role owns it, may create roles and is no superuser (what
production is asked for), and AMPEL_TEST_SUPERUSER_URL, the same database for a superuser. Both end with the command; the
exit status is the command's. Where AMPEL_TEST_DATABASE_URL is set already, its server gets a new database
instead of a new cluster being made; its role must be allowed to create databases.
"""

import os
import pathlib
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.parse

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "deploy"))
from postgres import Cluster  # noqa: E402

OWNER = "ampel_owner"


def with_database(url, name):
    parts = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit(parts._replace(path=f"/{name}"))


def with_user(url, user):
    parts = urllib.parse.urlsplit(url)
    secret, at, host = parts.netloc.rpartition("@")
    return urllib.parse.urlunsplit(parts._replace(netloc=f"{user}:{secret.partition(':')[2]}{at}{host}"))


def psql(statement, url):
    subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement, url], check=True,
                   stdout=subprocess.DEVNULL)


def run(command, name, url, superuser_url):
    environment = {**os.environ, "AMPEL_TEST_DATABASE_URL": with_database(url, name)}
    if superuser_url:
        environment["AMPEL_TEST_SUPERUSER_URL"] = with_database(superuser_url, name)
    status = subprocess.run(command, env=environment, check=False).returncode
    return status if status >= 0 else 128 - status


def main(command):
    if not command:
        print(__doc__, file=sys.stderr)
        return 2
    # A kill of this program must not leave a server behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    name = f"ampel_test_{secrets.token_hex(4)}"
    given = os.environ.get("AMPEL_TEST_DATABASE_URL")
    if given:
        psql(f"create database {name}", given)
        try:
            return run(command, name, given, os.environ.get("AMPEL_TEST_SUPERUSER_URL"))
        finally:
            psql(f"drop database {name} with (force)", given)
    folder = tempfile.mkdtemp(prefix="ampel-test-postgres-")
    cluster = Cluster(folder)
    try:
        cluster.start()
        password = urllib.parse.urlsplit(cluster.url).password
        psql(f"create role {OWNER} login createrole createdb password '{password}'", cluster.url)
        psql(f"create database {name} owner {OWNER}", cluster.url)
        return run(command, name, with_user(cluster.url, OWNER), cluster.url)
    finally:
        cluster.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

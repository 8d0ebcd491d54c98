"""A whole Ampel for a test: a database of its own, keys, journal, worker process; commands against it."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request

from postgres import free_port

TOP = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("AMPEL_TEST_BIN", TOP / "build" / "bin"))
GOLDEN = TOP / "tests" / "golden"
AS_OF_MS = 1790858096789


def wait_until(condition, seconds=30, what="the expected state"):
    """Returns the first true value of condition()."""
    limit = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > limit:
            raise AssertionError(f"{what} did not come within {seconds} s")
        time.sleep(0.03)


class System:
    def __init__(self, cluster, folder, name):
        self.cluster = cluster
        self.folder = pathlib.Path(folder)
        self.name = name
        cluster.psql(f"create database {name}", "postgres")
        self.url = cluster.url.rsplit("/", 1)[0] + "/" + name
        self.worker = None
        self.feed_port, self.watch_port, self.http_port = free_port(), free_port(), free_port()
        self.environment = dict(
            os.environ,
            AMPEL_ENV="/dev/null",
            AMPEL_ENDPOINT=f"tcp://127.0.0.1:{self.feed_port}",
            AMPEL_WATCH_ENDPOINT=f"tcp://127.0.0.1:{self.watch_port}",
            AMPEL_HTTP_ADDRESS=f"127.0.0.1:{self.http_port}",
            AMPEL_DATABASE_URL=self.url,
            AMPEL_KEYS=str(self.folder / "keys"),
            AMPEL_JOURNAL=str(self.folder / "journal"),
            AMPEL_ORDERS_ROWS_EVERY="0",
            AMPEL_CHECKPOINT_EVERY="100",
            AMPEL_LOG_FORMAT="json",
        )
        self.log = open(self.folder / "worker.log", "ab")

    # ---- commands

    def ampel(self, *words, check=True, stdin=None, timeout=120, **environment):
        done = subprocess.run([str(BIN / "ampel"), *map(str, words)], env=dict(self.environment, **environment),
                              input=stdin, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=timeout, cwd=self.folder)
        if check and done.returncode != 0:
            raise AssertionError(f"ampel {words} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def migrate(self, partitions=16):
        self.ampel("migrate", "--partitions", partitions)
        return self

    def tenants(self, *names):
        for name in names:
            self.ampel("tenant", "add", name)
        return self

    def sql(self, statement):
        return self.cluster.psql(statement, self.name)

    def rows(self, statement):
        text = self.sql(f"select coalesce(json_agg(r), '[]') from ({statement}) r")
        return json.loads(text)

    def scores(self):
        """{seller: its score} as stored."""
        return {row["seller"]: row["score"] for row in self.rows("select seller, score from ampel.rating")}

    # ---- the worker

    def start(self, *flags, ready=True, through=()):
        """through: a program and its words that becomes the worker (setpriv, chrt)."""
        assert self.worker is None
        self.worker = subprocess.Popen([*through, str(BIN / "ampel-worker"), *map(str, flags)], env=self.environment,
                                       stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, cwd=self.folder)
        if ready:
            wait_until(self.ready, 60, "readiness")
        return self

    def get(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def ready(self):
        if self.worker.poll() is not None:
            raise AssertionError(f"the worker ended with {self.worker.returncode}:\n{self.log_text()[-3000:]}")
        return self.get("/readyz")[0] == 200

    def metric(self, name):
        for line in self.get("/metrics")[1].splitlines():
            if line.startswith(f"ampel_{name} "):
                return float(line.split()[1])
        raise AssertionError(f"no metric {name}")

    def stop(self):
        """Orderly; everything is stored afterwards. The worker itself gives up where nothing is stored for 30 s."""
        self.worker.send_signal(signal.SIGTERM)
        status = self.worker.wait(600)
        self.worker = None
        assert status == 0, f"it ended with {status}\n{self.log_text()[-3000:]}"

    def kill(self):
        self.worker.kill()
        self.worker.wait(10)
        self.worker = None

    def log_text(self):
        return (self.folder / "worker.log").read_text()

    def close(self):
        if self.worker is not None:
            self.kill()
        self.log.close()
        self.cluster.psql(f"drop database if exists {self.name} with (force)", "postgres")
        shutil.rmtree(self.folder, ignore_errors=True)


def golden_scores(case):
    return {line["seller"]: line["score"] for line in golden_expected(case)}


def golden_expected(case):
    lines = (GOLDEN / f"{case}.expected.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]

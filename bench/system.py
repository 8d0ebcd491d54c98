"""A whole Ampel for a measurement, as deploy/up starts it: a private PostgreSQL that gives way, a database of its own, keys, journal,
worker; all gone at the end."""

import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

TOP = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TOP / "deploy"))
from postgres import Cluster, free_port  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")


def processor_seconds(pid):
    """Of a process and all its threads, by thread name as well."""
    threads, total = {}, 0.0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            words = (task / "stat").read_text()
        except OSError:
            continue
        name, rest = words[words.index("(") + 1:words.rindex(")")], words[words.rindex(")") + 2:].split()
        seconds = (int(rest[11]) + int(rest[12])) / TICKS
        threads[name] = threads.get(name, 0.0) + seconds
        total += seconds
    return total, threads


class System:
    """with System(bin) as system: migrated, with tenants load-0 .. load-(n - 1), worker started."""

    def __init__(self, bin_folder, partitions=64, tenants=1, start=True, **settings):
        self.bin = pathlib.Path(bin_folder).absolute()
        # Not below /tmp, which may be memory: the journal is to meet a disk.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ampel-bench-", dir="/var/tmp"))
        self.folder.chmod(0o755)
        (self.folder / "postgres").mkdir(mode=0o755)
        self.cluster, self.worker = None, None
        self.feed_port, self.watch_port, self.http_port = free_port(), free_port(), free_port()
        self.partitions, self.tenants_count, self.start_it, self.settings = partitions, tenants, start, settings

    def __enter__(self):
        try:
            self.cluster = Cluster(self.folder / "postgres").start()
            self.environment = dict(
                os.environ,
                AMPEL_ENV="/dev/null",
                AMPEL_ENDPOINT=f"tcp://127.0.0.1:{self.feed_port}",
                AMPEL_WATCH_ENDPOINT=f"tcp://127.0.0.1:{self.watch_port}",
                AMPEL_HTTP_ADDRESS=f"127.0.0.1:{self.http_port}",
                AMPEL_DATABASE_URL=self.cluster.url,
                AMPEL_KEYS=str(self.folder / "keys"),
                AMPEL_JOURNAL=str(self.folder / "journal"),
                AMPEL_REALTIME="1",
                **{f"AMPEL_{name.upper()}": str(value) for name, value in self.settings.items()},
            )
            self.ampel("migrate", "--partitions", self.partitions)
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                list(pool.map(lambda i: self.ampel("tenant", "add", f"load-{i}"), range(self.tenants_count)))
            if self.start_it:
                self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        if self.worker is not None:
            self.worker.kill()
            self.worker.wait()
        if self.cluster is not None:
            self.cluster.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def ampel(self, *words, timeout=600):
        done = subprocess.run([str(self.bin / "ampel"), *map(str, words)], env=self.environment, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=timeout, cwd=self.folder, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"ampel {words} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def start(self):
        self.log = open(self.folder / "worker.log", "ab")
        self.worker = subprocess.Popen([str(self.bin / "ampel-worker")], env=self.environment, stdin=subprocess.DEVNULL,
                                       stdout=self.log, stderr=self.log, cwd=self.folder)
        started = time.monotonic()
        limit = started + 120
        while self.get("/readyz")[0] != 200:
            if self.worker.poll() is not None or time.monotonic() > limit:
                raise RuntimeError("the worker does not become ready:\n" + self.log_text()[-3000:])
            time.sleep(0.02)
        self.ready_at, self.ready_seconds = time.time(), time.monotonic() - started
        self.cluster.give_way()  # rests between its words to the kernel, most of a second

    def stop(self):
        """Orderly; everything is stored afterwards."""
        self.worker.terminate()
        if self.worker.wait(300) != 0:
            raise RuntimeError(self.log_text()[-2000:])

    def log_text(self):
        return (self.folder / "worker.log").read_text(errors="replace")

    def get(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def metrics(self):
        found = {}
        for line in self.get("/metrics")[1].splitlines():
            if line.startswith("ampel_") and "{" not in line:
                name, value = line.split()
                found[name[len("ampel_"):]] = float(value)
        return found

    def quantile(self, name, share, before=None):
        """The upper edge of the histogram's bucket in which the share of its observations lies, in seconds."""
        edges, before = self.buckets(name), before or {}
        counts = {edge: count - before.get(edge, 0) for edge, count in edges.items()}
        total = max(counts.values(), default=0)
        for edge in sorted(counts):
            if total > 0 and counts[edge] >= share * total:
                return edge
        return None

    def buckets(self, name):
        found = {}
        for line in self.get("/metrics")[1].splitlines():
            if line.startswith(f"ampel_{name}_bucket"):
                found[float(line.split('le="')[1].split('"')[0].replace("+Inf", "inf"))] = float(line.split()[-1])
        return found

    def wait_applied(self, events, seconds=300):
        """Until so many events are applied since the start; returns the processor time of the worker by thread."""
        limit = time.monotonic() + seconds
        while self.metrics().get("events_applied_total", 0) < events:
            if self.worker.poll() is not None or time.monotonic() > limit:
                raise RuntimeError("the events are not applied:\n" + self.log_text()[-3000:])
            time.sleep(0.02)
        return processor_seconds(self.worker.pid)

    def settle(self, seconds=600):
        """Until almost nothing waits for the database."""
        limit = time.monotonic() + seconds
        while self.metrics()["unstored_bytes"] > 4 << 20:
            if time.monotonic() > limit:
                raise RuntimeError("the database does not follow")
            time.sleep(0.1)

    def store_all(self):
        """Kills the worker and starts it again: what was acked must be there. A start makes all rows due, so that after two
        rounds of checkpoints the tables tell of everything; nothing has to end within an orderly stop's patience."""
        self.worker.kill()
        self.worker.wait()
        self.environment |= {"AMPEL_ORDERS_ROWS_EVERY": "0", "AMPEL_CHECKPOINT_EVERY": "1000"}
        self.start()
        before = self.metrics()["checkpoints_total"]
        limit = time.monotonic() + 900
        while self.metrics()["checkpoints_total"] < before + 2 * self.partitions:
            if time.monotonic() > limit:
                raise RuntimeError("the rows are not written")
            time.sleep(0.1)
        self.settle()

    def rows(self, statement):
        return json.loads(self.cluster.psql(f"select coalesce(json_agg(r), '[]') from ({statement}) r", "ampel"))

    def psql(self, statement):
        return self.cluster.psql(statement, "ampel")

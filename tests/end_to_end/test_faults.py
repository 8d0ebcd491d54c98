"""What can go wrong around a worker that runs: kills while feeding, a database that dies, other workers, a stop that hangs."""

import json
import random
import signal
import subprocess
import time

import pytest

from postgres import Cluster
from system import BIN, TOP, System, wait_until

COLUMNS = "score, status, risk, orders, order_points, deducted"
FLAGS = ("--shards", 2)


def portfolio(system, accounts, until_ms):
    path = system.folder / "portfolio.jsonl"
    with open(path, "w", encoding="utf-8") as file:
        subprocess.run(["/usr/bin/python3", str(TOP / "tests/tools/portfolio.py"), "--accounts", str(accounts), "--days",
                        "200", "--until", str(until_ms), "--seed", "7", "--tenants", "demo"], stdout=file, check=True)
    return path


def assert_stored_as_computed(system, path, as_of_ms):
    """Every row in PostgreSQL says what `ampel score` says without any server."""
    computed = system.ampel("score", path, "--as-of", as_of_ms, "--format", "jsonl").stdout.splitlines()
    expected = {(line["seller"], line["marketplace"]): {key: line[key] for key in COLUMNS.split(", ")}
                for line in map(json.loads, computed)}
    stored = {(row.pop("seller"), row.pop("marketplace")): row
              for row in system.rows(f"select seller, marketplace, {COLUMNS} from ampel.rating")}
    assert stored == expected
    for table in ("alert", "rating_history"):
        total, distinct = system.sql(f"select count(*) || ' ' || count(distinct id) from ampel.{table}").split()
        assert total == distinct, f"something in {table} is stored twice"


def test_a_worker_that_is_killed_again_and_again_loses_nothing_and_doubles_nothing(system):
    seed = random.randrange(1 << 30)
    print("seed", seed)
    dice = random.Random(seed)
    now_ms = 1790858096789
    flags = (*FLAGS, "--clock-at", now_ms, "--clock-speed", 0)
    path = portfolio(system, 400, now_ms)
    system.start(*flags)
    feed = subprocess.Popen([str(BIN / "ampel"), "feed", str(path), "--sent-at", str(now_ms), "--batch-events", "100"],
                            env=system.environment, cwd=system.folder, text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT)
    for life in range(8):
        time.sleep(dice.uniform(0.02, 0.3))
        system.kill()
        system.start(*flags, ready=life % 2 == 1)
    assert feed.wait(120) == 0, feed.stdout.read()
    system.stop()
    assert_stored_as_computed(system, path, now_ms)


@pytest.fixture
def own_system(tmp_path_factory):
    """With a database server of its own, which may die."""
    folder = tmp_path_factory.mktemp("server")
    for place in (folder, *folder.parents[:3]):
        place.chmod(0o755)
    cluster = Cluster(str(folder)).start()
    made = System(cluster, tmp_path_factory.mktemp("system"), "faults")
    yield made.migrate().tenants("demo")
    if made.worker is not None:
        made.kill()
    cluster.stop("immediate")


def test_an_orderly_stop_takes_its_time_as_long_as_partitions_are_stored(own_system):
    system = own_system
    now_ms = 1790858096789
    path = portfolio(system, 100, now_ms)
    slow_seconds, stall_ms = 0.7, 3500
    system.start(*FLAGS, "--clock-at", now_ms, "--clock-speed", 0, "--checkpoint-every", 3600000, "--stop-stall-max", stall_ms)
    system.ampel("feed", path, "--sent-at", now_ms)
    system.sql("create function slow() returns trigger language plpgsql as "
               f"$$ begin perform pg_sleep({slow_seconds}); return new; end $$; "
               "create trigger slow before update on ampel.partition for each row when (new.position <> old.position) execute function slow()")
    since = time.monotonic()
    system.stop()
    assert time.monotonic() - since > stall_ms / 1000, "the stop had to be a long one"
    assert_stored_as_computed(system, path, now_ms)


def test_a_stop_that_stores_nothing_ends_after_its_stall(own_system):
    system = own_system
    now_ms = 1790858096789
    path = portfolio(system, 20, now_ms)
    system.start(*FLAGS, "--clock-at", now_ms, "--clock-speed", 0, "--stop-stall-max", 500)
    system.cluster.stop("immediate")
    system.ampel("feed", path, "--sent-at", now_ms)
    system.worker.send_signal(signal.SIGTERM)
    assert system.worker.wait(20) == 1
    system.worker = None
    assert "a stage did not end" in system.log_text()


def test_batches_are_taken_while_the_database_is_dead_and_stored_when_it_is_back(own_system):
    system = own_system
    now_ms = 1790858096789
    path = portfolio(system, 200, now_ms)
    lines = path.read_text().splitlines(keepends=True)
    halves = []
    for half in range(2):
        halves.append(system.folder / f"half{half}.jsonl")
        halves[half].write_text("".join(lines[half::2]))
    system.start(*FLAGS, "--clock-at", now_ms, "--clock-speed", 0)
    system.ampel("feed", halves[0], "--sent-at", now_ms)
    system.cluster.stop("immediate")
    system.ampel("feed", halves[1], "--sent-at", now_ms)
    wait_until(lambda: system.metric("database_up") == 0, what="the loss of the database")
    assert system.ready() and system.metric("unstored_bytes") > 0
    system.cluster.start()
    wait_until(lambda: system.metric("database_up") == 1, what="the return of the database")
    system.stop()
    assert_stored_as_computed(system, path, now_ms)


def test_a_stop_without_a_database_ends_at_the_second_signal_and_loses_nothing(own_system):
    system = own_system
    now_ms = 1790858096789
    path = portfolio(system, 20, now_ms)
    flags = (*FLAGS, "--clock-at", now_ms, "--clock-speed", 0)
    system.start(*flags)
    system.cluster.stop("immediate")
    system.ampel("feed", path, "--sent-at", now_ms)
    system.worker.send_signal(signal.SIGTERM)
    wait_until(lambda: "stopping" in system.get("/readyz")[1], what="the stop")
    time.sleep(0.5)
    assert system.worker.poll() is None, "it waits for its database first"
    system.worker.send_signal(signal.SIGTERM)
    assert system.worker.wait(10) == 1
    system.worker = None
    assert "a stage did not end" in system.log_text()
    system.cluster.start()
    system.start(*flags)
    system.stop()
    assert_stored_as_computed(system, path, now_ms)


def second_worker(system, **environment):
    return subprocess.run([str(BIN / "ampel-worker")], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=60, cwd=system.folder,
                          env=dict(system.environment, AMPEL_HTTP_ADDRESS="127.0.0.1:0", AMPEL_ENDPOINT="tcp://127.0.0.1:*",
                                   AMPEL_WATCH_ENDPOINT="tcp://127.0.0.1:*", **environment))


def test_a_second_worker_is_refused_and_does_not_disturb_the_first(system):
    now_ms = 1790858096789
    path = portfolio(system, 20, now_ms)
    system.start("--clock-at", now_ms, "--clock-speed", 0)
    system.ampel("feed", path, "--sent-at", now_ms)
    wait_until(lambda: system.metric("checkpoints_total") >= 16, what="a checkpoint of each partition")
    same = second_worker(system)
    assert same.returncode == 1 and "another process uses this journal" in same.stdout
    other = second_worker(system, AMPEL_JOURNAL=str(system.folder / "another"))
    assert other.returncode == 1 and "do not belong together" in other.stdout
    system.stop()
    assert_stored_as_computed(system, path, now_ms)


def test_a_worker_whose_partition_was_taken_over_stops_and_says_so(system):
    now_ms = 1790858096789
    path = portfolio(system, 20, now_ms)
    system.start("--clock-at", now_ms, "--clock-speed", 0)
    system.ampel("feed", path, "--sent-at", now_ms)
    system.sql("update ampel.partition set epoch = epoch + 1 where partition = 3")
    assert system.worker.wait(30) == 1
    system.worker = None
    assert "the partition has another owner" in system.log_text()
    system.start("--clock-at", now_ms, "--clock-speed", 0).stop()
    assert_stored_as_computed(system, path, now_ms)

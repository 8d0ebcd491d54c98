"""Faults of real processes under full load: stopped, terminated, killed, away, full. A ledger decides that nothing was lost.

AMPEL_TEST_OUTAGE_SECONDS (default 3) is how long things are away; 100 is longer than every timeout.
"""

import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

from load import Load
from postgres import Cluster
from system import BIN, System, wait_until
from test_faults import second_worker

AWAY_SECONDS = float(os.environ.get("AMPEL_TEST_OUTAGE_SECONDS", "3"))
RSS_MAX = 1 << 30


@pytest.fixture(scope="module")
def own_cluster(tmp_path_factory):
    """A database server that may die."""
    folder = tmp_path_factory.mktemp("outages")
    for place in (folder, *folder.parents[:3]):
        place.chmod(0o755)
    cluster = Cluster(str(folder)).start()
    yield cluster
    cluster.stop("immediate")


@pytest.fixture
def loaded(own_cluster, tmp_path_factory, request):
    """A system that runs under load; judged at the end of the test by finish()."""
    system = System(own_cluster, tmp_path_factory.mktemp("system"), f"outage_{os.getpid()}_{abs(hash(request.node.name))}")
    system.environment.update(getattr(request, "param", {}), AMPEL_SEGMENT_BYTES=str(4 << 20))
    system.migrate(8).tenants("demo").start("--shards", 2)
    system.load = Load(system)
    try:
        system.load.rest(0.5)
        wait_until(lambda: system.load.acked() > 0, what="the first acks")
        yield system
    finally:
        system.load.kill()
        if system.worker is not None:
            system.kill()
        own_cluster.start()
        system.close()


def finish(system):
    system.load.settle()
    system.stop()
    acked, lost, doubled, right = system.load.judge()
    assert (lost, doubled, right) == (0, 0, True) and acked > 0


def rss_bytes(system):
    for line in pathlib.Path(f"/proc/{system.worker.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


def server_processes(cluster):
    """The postmaster first, then its children."""
    main = (cluster.data / "postmaster.pid").read_text().split()[0]
    children = pathlib.Path(f"/proc/{main}/task/{main}/children").read_text().split()
    return [int(main), *map(int, children)]


class Watch:
    """`ampel watch` in the background, and accounts with a critical violation, which it must tell of."""

    def __init__(self, system):
        self.system, self.path, self.seconds = system, system.folder / "watch.jsonl", []
        self.process = subprocess.Popen([str(BIN / "ampel"), "watch", "--tenant", "demo", "--from", "1", "--format", "jsonl"],
                                        env=system.environment, cwd=system.folder, stdout=open(self.path, "wb"),
                                        stderr=subprocess.DEVNULL)

    def probe(self, seconds=20):
        """From a fed violation to its alert. One file that grows: each file of its own would be a producer of its own."""
        seller, since = f"P{len(self.seconds) + 1}", time.monotonic()
        event = {"tenant": "demo", "seller": seller, "marketplace": "M1", "type": "violation", "id": seller,
                 "policy": "product_safety", "severity": "critical", "at": time.time_ns() // 1_000_000}
        path = self.system.folder / "probes.jsonl"
        with open(path, "a", encoding="ascii") as file:
            file.write(json.dumps(event) + "\n")
        self.system.ampel("feed", path)
        wait_until(lambda: f'"{seller}"' in self.path.read_text(), seconds, f"the alert of {seller}")
        self.seconds.append(time.monotonic() - since)

    def close(self):
        if self.seconds:
            print(f"{len(self.seconds)} probes, from the file to the alert: {sum(self.seconds) / len(self.seconds):.2f} s, "
                  f"{max(self.seconds):.2f} s the slowest")
        self.process.kill()
        self.process.wait()


def test_a_worker_that_is_stopped_for_long_goes_on_and_a_second_one_is_refused_meanwhile(loaded):
    loaded.worker.send_signal(signal.SIGSTOP)
    try:
        until = time.monotonic() + AWAY_SECONDS
        same = second_worker(loaded)
        assert same.returncode == 1 and "another process uses this journal" in same.stdout
        loaded.load.rest(max(until - time.monotonic(), 0))
    finally:
        loaded.worker.send_signal(signal.SIGCONT)
    loaded.load.rest(0.5)
    finish(loaded)


STATEMENTS = pathlib.Path(__file__).resolve().parents[2] / "sql" / "statements"


def taken_over(system):
    """What a successor does first, in its own words: the streams' next epoch, by force where the last worker is stuck, then all partitions."""
    begin, end = ((STATEMENTS / f"{name}.sql").read_text() for name in ("stream_begin", "stream_holders_end"))
    try:
        system.sql(f"set lock_timeout = '2s'; {begin}")
    except subprocess.CalledProcessError:
        system.sql(end)
        system.sql(f"set lock_timeout = '20s'; {begin}")
    system.sql("set lock_timeout = '20s'; update ampel.partition set epoch = epoch + 1")


def test_a_worker_that_wakes_up_after_its_partitions_were_taken_over_stores_no_more_and_stops(loaded):
    loaded.worker.send_signal(signal.SIGSTOP)
    loaded.load.rest(min(AWAY_SECONDS, 2))
    taken_over(loaded)
    before = loaded.sql("select sum(position) from ampel.partition")
    loaded.worker.send_signal(signal.SIGCONT)
    assert loaded.worker.wait(30) == 1
    loaded.worker = None
    assert "the partition has another owner" in loaded.log_text()
    assert loaded.sql("select sum(position) from ampel.partition") == before
    loaded.start("--shards", 2)
    finish(loaded)


def test_sessions_that_are_terminated_again_and_again_in_commit_lose_nothing(loaded):
    terminate = """do $$ declare until timestamptz := clock_timestamp() + interval '250 ms'; hit int := 0; begin
        while clock_timestamp() < until and hit = 0 loop
            perform pg_stat_clear_snapshot();
            select count(pg_terminate_backend(pid)) into hit from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid() and query ilike '{}%' and state = 'active';
        end loop; raise notice 'hit %', hit; end $$"""
    before = loaded.metric("checkpoints_total")
    for word in ("commit", "copy", "commit", "insert", "commit", "update", "commit", "commit"):
        loaded.sql(terminate.format(word))
        loaded.load.rest(0.3)
    wait_until(lambda: loaded.metric("checkpoints_total") > before, what="checkpoints after all")
    assert "terminating connection due to administrator command" in loaded.log_text(), "no session was hit"
    finish(loaded)


def test_a_postgresql_that_is_killed_and_started_again_loses_nothing(loaded):
    for _ in range(1):
        for process in server_processes(loaded.cluster):
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                pass  # it had ended already
        # All are dead; where nobody reaps them, pg_ctl would take the dead for living.
        (loaded.cluster.data / "postmaster.pid").unlink()
        wait_until(lambda: loaded.metric("database_up") == 0, what="the loss of the database")
        loaded.load.rest(0.5)
        loaded.cluster.start()
        wait_until(lambda: loaded.metric("database_up") == 1, what="the return of the database")
        loaded.load.rest(0.5)
    finish(loaded)


@pytest.mark.parametrize("how", ["stopped", "gone"])
def test_alerts_go_on_while_postgresql_is_away_memory_stays_bounded_and_all_is_stored_later(loaded, how):
    watch = Watch(loaded)
    try:
        watch.probe()
        frozen = server_processes(loaded.cluster) if how == "stopped" else []
        for process in frozen:
            os.kill(process, signal.SIGSTOP)
        if how == "gone":
            loaded.cluster.stop("immediate")
        acked, until = loaded.load.acked(), time.monotonic() + AWAY_SECONDS
        while time.monotonic() < until:
            loaded.load.rest(0.5)
            watch.probe()
            # Accounts and violations are what is rated, and grow with what is fed; all else is bounded.
            assert rss_bytes(loaded) - loaded.metric("engine_memory_bytes") < RSS_MAX
        print(f"{(loaded.load.acked() - acked) / AWAY_SECONDS:.1f} batches a second acked meanwhile, "
              f"{loaded.metric('unstored_bytes') / 2**20:.1f} MiB not stored, {rss_bytes(loaded) / 2**20:.0f} MiB in memory, "
              f"{loaded.metric('engine_memory_bytes') / 2**20:.0f} of them accounts, "
              f"{loaded.metric('unstored_message_bytes') / 2**20:.0f} messages")
        assert loaded.load.acked() > acked, "batches are taken without a database"
        assert loaded.metric("unstored_bytes") > 0
        for process in reversed(frozen):
            os.kill(process, signal.SIGCONT)
        loaded.cluster.start()
        done = loaded.metric("checkpoints_total")
        wait_until(lambda: loaded.metric("checkpoints_total") >= done + 8, 60, "that all partitions are stored again")
        watch.probe()
        since = time.monotonic()
        loaded.load.settle()
        wait_until(lambda: loaded.metric("unstored_bytes") < 1 << 20, 60 + AWAY_SECONDS, "that what was told is stored")
        print(f"caught up {time.monotonic() - since:.0f} s after the last checks")
    finally:
        watch.close()
    finish(loaded)


def stands_still(system):
    before = system.load.acked()
    system.load.rest(1.5)
    return system.load.acked() == before


@pytest.mark.parametrize("loaded", [{"AMPEL_JOURNAL_BYTES_MAX": str(8 << 20), "AMPEL_UNSTORED_BYTES_MAX": str(2 << 20)}],
                         indirect=True, ids=["small"])
def test_feeders_are_slowed_and_not_failed_where_there_is_no_more_room_for_what_is_not_stored(loaded):
    loaded.cluster.stop("immediate")
    wait_until(lambda: stands_still(loaded), 60, "that feeders are slowed")
    assert loaded.metric("journal_held_bytes") <= (8 << 20) * 17 / 16
    assert loaded.metric("unstored_bytes") <= 2 * (2 << 20)
    assert rss_bytes(loaded) < RSS_MAX
    acked = loaded.load.acked()
    loaded.cluster.start()
    wait_until(lambda: (loaded.load.rest(0.2), loaded.load.acked())[1] > acked + 200, 60, "that feeders go on")
    finish(loaded)


@pytest.mark.parametrize("loaded", [{"AMPEL_UNSTORED_BYTES_MAX": str(8 << 20)}], indirect=True, ids=["little_room"])
def test_alerts_go_on_and_feeders_are_slowed_where_most_of_the_room_for_what_is_not_stored_is_taken(loaded):
    """The end of a long outage, met within seconds as there is a thirtieth of the room."""
    watch = Watch(loaded)
    try:
        watch.probe()
        loaded.cluster.stop("immediate")
        before, since = loaded.load.acked(), time.monotonic()
        wait_until(lambda: (loaded.load.rest(0.2), loaded.metric("shards_slowed"))[1] >= 1, 120, "that feeders are slowed")
        unslowed = (loaded.load.acked() - before) / (time.monotonic() - since)
        wait_until(lambda: (loaded.load.rest(0.2), loaded.metric("shards_slowed"))[1] == 2, 120, "that both shards slow feeders")
        before, since = loaded.load.acked(), time.monotonic()
        while time.monotonic() < since + max(AWAY_SECONDS, 15):
            loaded.load.rest(0.5)
            watch.probe()
            assert loaded.metric("unstored_bytes") < 8 << 20
        acked = loaded.load.acked() - before
        assert acked > 0, "scoring goes on"
        slowed = acked / (time.monotonic() - since)
        print(f"{unslowed:.0f} batches a second, {slowed:.0f} when slowed")
        assert slowed < unslowed / 10, "feeders are slowed"
        loaded.cluster.start()
        wait_until(lambda: (loaded.load.rest(0.2), loaded.metric("shards_slowed"))[1] == 0, 60, "that feeders are slowed no more")
        watch.probe()
    finally:
        watch.close()
    finish(loaded)


@pytest.fixture
def small_disk(tmp_path):
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", str(tmp_path)],
                                           check=False, stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("a small disk can only be mounted by root")
    yield tmp_path
    subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def test_a_full_disk_sends_batches_back_and_loses_nothing(small_disk, loaded):
    loaded.load.rest(0.2)
    loaded.stop()
    (loaded.folder / "journal").rename(loaded.folder / "old")
    subprocess.run(["cp", "-a", str(loaded.folder / "old"), str(small_disk / "journal")], check=True)
    loaded.environment["AMPEL_JOURNAL"] = str(small_disk / "journal")
    ballast = small_disk / "ballast"
    loaded.start("--shards", 2)
    with open(ballast, "wb") as file:
        try:
            while True:
                file.write(bytes(1 << 16))
                file.flush()
        except OSError:
            pass
    # Segments that are recycled need no room; so nothing is stored for a while, and they are not recycled.
    loaded.cluster.stop("immediate")
    wait_until(lambda: (loaded.load.rest(0.3), loaded.metric("batches_back_total"))[1] > 0, 60, "a batch that comes back")
    assert loaded.worker.poll() is None
    ballast.unlink()
    acked = loaded.load.acked()
    wait_until(lambda: (loaded.load.rest(0.2), loaded.load.acked())[1] > acked, 60, "that feeders go on")
    loaded.cluster.start()
    finish(loaded)

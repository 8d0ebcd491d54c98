"""Threads that acks and alerts wait for run before others where that is wanted and permitted."""

import os
import pathlib
import subprocess

import pytest

from system import AS_OF_MS, GOLDEN, golden_scores

FLAGS = ("--clock-at", AS_OF_MS, "--clock-speed", 0)
PERMITTED = subprocess.run(["chrt", "--rr", "1", "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0
WITHOUT_THE_RIGHT = ("setpriv", "--bounding-set=-sys_nice", "--inh-caps=-sys_nice")


def threads(system, ask):
    """{thread name: what ask says of its threads} of the worker."""
    found = {}
    for task in pathlib.Path(f"/proc/{system.worker.pid}/task").iterdir():
        found.setdefault((task / "comm").read_text().strip(), set()).add(ask(int(task.name)))
    return found


def policies(system):
    return threads(system, os.sched_getscheduler)


def cores(system):
    return threads(system, lambda thread: frozenset(os.sched_getaffinity(thread)))


def feed_golden(system):
    system.ampel("feed", GOLDEN / "basics.events.jsonl", "--sent-at", AS_OF_MS, "--state", "basics.state")
    system.stop()
    assert system.scores() == golden_scores("basics")


@pytest.mark.skipif(not PERMITTED, reason="needs CAP_SYS_NICE or RLIMIT_RTPRIO")
def test_the_way_of_an_ack_runs_before_others_and_what_stores_does_not(system):
    system.start(*FLAGS, "--realtime", 1)
    found = policies(system)
    for name in ("gateway", "keeper", "publisher", "ZMQbg/IO/0"):
        assert found.pop(name) == {os.SCHED_RR}, name
    for name in ("scribe", "scribe-1", "ampel-worker"):
        assert found.pop(name) == {os.SCHED_OTHER}, name
    assert found.pop("shard-0") == {os.SCHED_RR if os.cpu_count() > 1 else os.SCHED_OTHER}
    feed_golden(system)


@pytest.mark.skipif(not PERMITTED, reason="needs CAP_SYS_NICE or RLIMIT_RTPRIO")
def test_shards_that_could_take_every_core_run_as_others_do(system):
    system.start(*FLAGS, "--realtime", 1, "--shards", min(16, os.cpu_count()))
    found = policies(system)
    assert found["gateway"] == {os.SCHED_RR}
    assert found["shard-0"] == {os.SCHED_OTHER}


@pytest.mark.skipif(not PERMITTED or len(os.sched_getaffinity(0)) < 2, reason="needs CAP_SYS_NICE or RLIMIT_RTPRIO, and two cores")
def test_of_two_cores_one_has_the_way_of_an_ack_and_the_other_the_shard(system):
    first, second = sorted(os.sched_getaffinity(0))[:2]
    system.start(*FLAGS, "--realtime", 1, through=("taskset", "-c", f"{first},{second}"))
    found = cores(system)
    for name in ("gateway", "keeper", "ZMQbg/IO/0", "ZMQbg/Reaper"):
        assert found.pop(name) == {frozenset({second})}, name
    for name in ("shard-0", "publisher"):
        assert found.pop(name) == {frozenset({first})}, name
    assert set().union(*found.values()) == {frozenset({first, second})}
    feed_golden(system)


@pytest.mark.skipif(not PERMITTED or len(os.sched_getaffinity(0)) < 2, reason="needs CAP_SYS_NICE or RLIMIT_RTPRIO, and two cores")
def test_threads_keep_to_no_core_where_there_are_as_many_shards(system):
    two = sorted(os.sched_getaffinity(0))[:2]
    system.start(*FLAGS, "--realtime", 1, "--shards", 2, through=("taskset", "-c", f"{two[0]},{two[1]}"))
    assert set().union(*cores(system).values()) == {frozenset(two)}
    feed_golden(system)


def test_nothing_runs_before_others_unless_it_is_wanted(system):
    system.start(*FLAGS)
    assert set().union(*policies(system).values()) == {os.SCHED_OTHER}
    assert set().union(*cores(system).values()) == {frozenset(os.sched_getaffinity(0))}


@pytest.mark.skipif(os.geteuid() != 0, reason="drops a right that only root has")
def test_where_it_is_not_permitted_the_worker_says_so_and_works_as_usual(system):
    system.start(*FLAGS, "--realtime", 1, through=WITHOUT_THE_RIGHT)
    assert set().union(*policies(system).values()) == {os.SCHED_OTHER}
    assert '"setting":"realtime"' in system.log_text()
    feed_golden(system)

"""`ampel feed` for many tenants at once: handshakes side by side, a bounded window of connections, one tenant's trouble no other's."""

import concurrent.futures
import json
import random
import subprocess
import time

import pytest

from system import AS_OF_MS, BIN, wait_until

FLAGS = ("--clock-at", AS_OF_MS, "--clock-speed", 0)
HELD_BACK = "does not accept this key"


def add_tenants(system, count):
    """t0, t1, ...; the fixture's tenant made the worker's key."""
    names = [f"t{number}" for number in range(count)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(system.tenants, names))
    return names


def write_events(system, name, tenants, rounds):
    """Tenants in turn, so that each has a batch before any has its second; the k-th tenant's orders count k + 1 in each round."""
    path = system.folder / name
    with open(path, "w", encoding="utf-8") as file:
        for turn in range(rounds):
            for number, tenant in enumerate(tenants):
                file.write(json.dumps({"tenant": tenant, "seller": "S1", "marketplace": "M1", "type": "order",
                                       "at": AS_OF_MS - turn * 60_000, "count": number + 1}) + "\n")
    return path


def orders_of(tenants, rounds):
    return {tenant: rounds * (number + 1) for number, tenant in enumerate(tenants)}


def orders_stored(system):
    return {row["tenant"]: row["orders"] for row in system.rows("select tenant, orders from ampel.rating")}


def feeder(system, path, *words):
    return subprocess.Popen([str(BIN / "ampel"), "feed", str(path), "--sent-at", str(AS_OF_MS), *map(str, words)],
                            env=system.environment, cwd=system.folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_the_first_tenants_may_be_added_at_the_same_time(system):
    """Each of them makes the worker's key where it is missing; one pair must come of it."""
    def add(name, folder):
        return system.ampel("tenant", "add", name, check=False, AMPEL_KEYS=str(folder))

    for turn in range(6):
        folder = system.folder / f"keys{turn}"
        names = [f"first{turn}-{number}" for number in range(6)]
        with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
            ended = list(pool.map(lambda name: add(name, folder), names))
        assert [done.stderr for done in ended if done.returncode != 0] == []
        public = (folder / "worker.key").read_text().splitlines()[0].removeprefix("public ")
        servers = {line for name in names for line in (folder / f"{name}.key").read_text().splitlines() if line.startswith("server ")}
        assert servers == {f"server {public}"}
        assert sorted(path.name for path in folder.iterdir()) == sorted(["worker.key", *(f"{name}.key" for name in names)])


def test_several_hundred_tenants_fed_at_once_arrive_whole(system):
    """More than a worker takes connections, each with batches from the file's beginning to its end."""
    tenants = add_tenants(system, 300)
    system.start(*FLAGS)
    path = write_events(system, "events.jsonl", tenants, 6)
    said = system.ampel("feed", path, "--sent-at", AS_OF_MS, "--batch-events", 2).stdout
    assert said == "1800 events accepted, 0 refused, in 900 batches\n"
    wait_until(lambda: orders_stored(system) == orders_of(tenants, 6), what="all orders")
    assert system.metric("gateway_peers_refused_total") == 0
    again = system.ampel("feed", path, "--sent-at", AS_OF_MS, "--batch-events", 2).stdout
    assert again == "1800 events accepted, 0 refused, in 900 batches (900 of them were durable before)\n"
    system.ampel("encode", path, "-o", "events.ampel", "--sent-at", AS_OF_MS, "--batch-events", 2)
    assert system.ampel("feed", "events.ampel").stdout == said
    wait_until(lambda: orders_stored(system) == orders_of(tenants, 12), what="all orders of the encoded file, too")


def test_tenants_take_turns_where_files_are_few(system):
    """A process that may have 200 files open has room for 17 connections: they are closed and opened as batches come."""
    tenants = add_tenants(system, 40)
    system.start(*FLAGS)
    path = write_events(system, "events.jsonl", tenants, 8)
    done = subprocess.run(["bash", "-c", f"ulimit -n 200 && exec {BIN}/ampel feed {path} --sent-at {AS_OF_MS} --batch-events 1"],
                          env=system.environment, cwd=system.folder, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "320 events accepted, 0 refused, in 320 batches\n"
    wait_until(lambda: orders_stored(system) == orders_of(tenants, 8), what="all orders")


@pytest.mark.parametrize("encoded", [False, True])
def test_a_tenant_whose_key_is_refused_is_named_and_holds_up_no_other(system, encoded):
    tenants = add_tenants(system, 40)
    system.ampel("tenant", "suspend", "t7")
    system.start(*FLAGS)
    path = write_events(system, "events.jsonl", tenants, 4)
    if encoded:
        system.ampel("encode", path, "-o", "events.ampel", "--sent-at", AS_OF_MS, "--batch-events", 2)
        path = system.folder / "events.ampel"
    others = {tenant: orders for tenant, orders in orders_of(tenants, 4).items() if tenant != "t7"}
    feed = feeder(system, path, "--batch-events", 2, "--patience", 20)
    wait_until(lambda: orders_stored(system) == others, 15, "the others' orders")
    assert feed.poll() is None, "it still hopes for t7's key"
    said, complaint = feed.communicate(timeout=60)
    assert feed.returncode == 3 and said == "156 events accepted, 0 refused, in 78 batches\n"
    named, closing = complaint.splitlines()
    assert named.startswith("ampel feed: tenant t7: ") and HELD_BACK in named
    assert closing == "ampel feed: of 1 of 40 tenants not all events went, as said above"
    system.ampel("tenant", "resume", "t7")
    again = system.ampel("feed", path, "--sent-at", AS_OF_MS, "--batch-events", 2).stdout
    assert again == "160 events accepted, 0 refused, in 80 batches (78 of them were durable before)\n"
    wait_until(lambda: orders_stored(system) == orders_of(tenants, 4), what="all orders")


def test_a_key_that_is_accepted_later_is_waited_for(system):
    tenants = add_tenants(system, 3)
    system.ampel("tenant", "suspend", "t1")
    system.start(*FLAGS)
    feed = feeder(system, write_events(system, "events.jsonl", tenants, 4))
    wait_until(lambda: len(orders_stored(system)) == 2, 20, "the others' orders")
    system.ampel("tenant", "resume", "t1")
    said, complaint = feed.communicate(timeout=60)
    assert (feed.returncode, said, complaint) == (0, "12 events accepted, 0 refused, in 3 batches\n", "")


def test_a_tenant_without_a_key_is_named_and_holds_up_no_other(system):
    tenants = add_tenants(system, 5)
    (system.folder / "keys" / "t0.key").unlink()
    system.start(*FLAGS)
    done = system.ampel("feed", write_events(system, "events.jsonl", tenants, 2), "--sent-at", AS_OF_MS, check=False)
    assert done.returncode == 3 and "8 events accepted" in done.stdout
    named, closing = done.stderr.splitlines()
    assert named.startswith("ampel feed: tenant t0: ") and "t0.key" in named
    assert closing == "ampel feed: of 1 of 5 tenants not all events went, as said above"
    wait_until(lambda: len(orders_stored(system)) == 4, what="the others' orders")


def test_a_batch_that_is_never_taken_is_named_and_holds_up_no_other(system):
    """t0, first in the file, has as many producers as it may have; it is told so while the others' connections are still opened."""
    tenants = add_tenants(system, 100)
    system.environment["AMPEL_PRODUCERS_PER_TENANT_MAX"] = "1"
    system.start(*FLAGS)
    system.ampel("feed", write_events(system, "before.jsonl", tenants[:1], 1), "--sent-at", AS_OF_MS)
    path = write_events(system, "events.jsonl", tenants, 2)
    done = system.ampel("feed", path, "--sent-at", AS_OF_MS, "--batch-events", 1, check=False)
    assert done.returncode == 3 and done.stdout == "198 events accepted, 0 refused, in 198 batches\n"
    named, closing = done.stderr.splitlines()
    assert named.startswith("ampel feed: tenant t0: the worker does not take batch 0: producers")
    assert closing == "ampel feed: of 1 of 100 tenants not all events went, as said above"
    wait_until(lambda: orders_stored(system) == orders_of(tenants, 2) | {"t0": 1}, what="the others' orders")


def test_a_worker_that_is_not_there_ends_all_after_patience(system):
    tenants = add_tenants(system, 100)
    since = time.monotonic()
    done = system.ampel("feed", write_events(system, "events.jsonl", tenants, 1), "--sent-at", AS_OF_MS, "--patience", 3, check=False)
    assert done.returncode == 3 and 3 <= time.monotonic() - since < 15
    assert len(done.stderr.splitlines()) == 1 and "nobody listens at" in done.stderr


def test_a_worker_that_is_killed_in_the_middle_loses_and_doubles_nothing_of_many_tenants(system):
    seed = random.randrange(1 << 30)
    print("seed", seed)
    dice = random.Random(seed)
    tenants = add_tenants(system, 80)
    system.start(*FLAGS)
    path = write_events(system, "events.jsonl", tenants, 900)
    feed = feeder(system, path, "--batch-events", 3)
    lives = 0
    while feed.poll() is None and lives < 6:
        time.sleep(dice.uniform(0.02, 0.2))
        system.kill()
        system.start(*FLAGS, ready=lives % 2 == 1)
        lives += 1
    said, complaint = feed.communicate(timeout=120)
    assert (feed.returncode, complaint) == (0, "") and "72000 events accepted, 0 refused, in 24000 batches" in said
    assert lives > 1
    wait_until(system.ready, 60, "readiness")
    system.stop()
    assert orders_stored(system) == orders_of(tenants, 900)

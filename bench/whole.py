"""The way as a whole: `ampel feed`, the worker, PostgreSQL, on the cores of this machine."""

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from system import System, processor_seconds

SECONDS_IN_MS = 1000


def load(bin_folder, *words):
    done = subprocess.run([str(pathlib.Path(bin_folder) / "load"), *map(str, words)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"load {words}: {done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def digest_of(lines):
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]


def ratings_of_files(bin_folder, paths, as_of_ms):
    """What `ampel score` says of the same events."""
    done = subprocess.run([str(pathlib.Path(bin_folder) / "ampel"), "score", *map(str, paths), "--as-of", str(as_of_ms), "--format",
                           "jsonl", "--no-outlook"], stdout=subprocess.PIPE, text=True, check=True)
    for line in done.stdout.splitlines():
        found = json.loads(line)
        yield "|".join(str(found[name]) for name in
                       ("tenant", "seller", "marketplace", "score", "orders", "order_points", "deducted"))


def ratings_stored(system):
    return system.psql("select tenant, seller, marketplace, score, orders, order_points, deducted from ampel.rating").splitlines()


def feed(system, paths, events):
    """Feeds files one after another; returns (seconds until all is applied, cores used, processor seconds by thread)."""
    before = processor_seconds(system.worker.pid)
    applied = system.metrics()["events_applied_total"]
    started = time.monotonic()
    feeder = subprocess.Popen([str(system.bin / "ampel"), "feed", *map(str, paths)], env=system.environment, cwd=system.folder,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    told = feeder.stdout.read()
    if feeder.wait() != 0 or f"{events} events accepted, 0 refused" not in told:
        raise RuntimeError(f"ampel feed: {told}")
    after, threads = system.wait_applied(applied + events)
    seconds = time.monotonic() - started
    threads = {name: round(spent - before[1].get(name, 0.0), 2) for name, spent in threads.items()}
    return seconds, (after - before[0]) / seconds, threads


FILE_EVENTS = 20_000_000
EVENT_BYTES_MAX = 26  # of a file; the larger the batches, the fewer
REST_BYTES = 4 << 30  # for everything else that runs
BATCH = 4096  # events, as `ampel encode` makes them


@contextlib.contextmanager
def files_folder(events):
    """For files that a feeder reads: memory where there is plenty. On the worker's own disk some ten gigabytes would be written just
    before the journal is, and a virtual disk that was written so much is slow for minutes."""
    available = next(int(line.split()[1]) << 10 for line in pathlib.Path("/proc/meminfo").read_text().splitlines()
                     if line.startswith("MemAvailable"))
    memory = pathlib.Path("/dev/shm")
    fits = memory.is_dir() and EVENT_BYTES_MAX * events + REST_BYTES < min(available, shutil.disk_usage(memory).free)
    with tempfile.TemporaryDirectory(prefix="ampel-bench-", dir=memory if fits else "/var/tmp") as folder:
        yield pathlib.Path(folder)


def end_to_end(bin_folder, events, accounts, run=20, batch=BATCH, violations=1, tenants=1, settings=None, check=True):
    """events/s from `ampel feed` of encoded files to the last event applied, and what there is to know about it."""
    now_ms = int(time.time() * SECONDS_IN_MS)
    with System(bin_folder, tenants=tenants, **(settings or {})) as system, files_folder(events) as folder:
        paths = []
        for begin in range(0, events, FILE_EVENTS):
            # Each file with a producer of its own, and violations of its own: every event of every file is new.
            paths.append(folder / f"events-{len(paths)}.ampel")
            count = min(FILE_EVENTS, events - begin)
            load(bin_folder, "make", paths[-1], "--events", count, "--accounts", accounts, "--run", run, "--batch", batch,
                 "--violations", violations, "--tenants", tenants, "--sent-at", now_ms, "--seed", len(paths),
                 "--number", begin, "--producer", f"load-{len(paths)}")
        os.sync()  # what was written for the measurement is not to be written during it
        seconds, cores, threads = feed(system, paths, events)
        metrics = system.metrics()
        found = {"events_per_second": events / seconds, "seconds": seconds, "worker_cores": cores, "threads": threads,
                 "bytes_per_event": sum(path.stat().st_size for path in paths) / events,
                 "journal_bytes_per_event": metrics["journal_written_bytes_total"] / events,
                 "checkpoints": metrics["checkpoints_total"], "checkpoint_pages": metrics["checkpoint_pages_total"],
                 "sync_ms": 1000 * metrics["journal_sync_seconds_sum"] / max(1, metrics["journal_syncs_total"]),
                 "syncs": metrics["journal_syncs_total"], "unstored_bytes": metrics["unstored_bytes"]}
        if check:
            system.store_all()
            stored, told = digest_of(ratings_stored(system)), digest_of(ratings_of_files(bin_folder, paths, now_ms))
            if stored != told:
                raise RuntimeError(f"the ratings stored ({stored}) are not those of the events ({told})")
            found["digest"] = stored
        return found


# ---- parts: each gets the run of bench/run ----------------------------------------------------

# Room for what a minute tells and PostgreSQL stores later: with the default a shard would go at PostgreSQL's pace after some ten
# seconds, which is another measurement (bench/notes/10-the-way.md).
CHECKPOINTS = {"checkpoint_every": 10000, "unstored_bytes_max": "4g"}


def detail(found):
    threads = ", ".join(f"{name} {spent} s" for name, spent in found["threads"].items() if spent >= 0.05)
    used = 1e9 * found["worker_cores"] / found["events_per_second"]
    return (f"{found['seconds']:.1f} s, {found['bytes_per_event']:.1f} bytes an event on the wire, {found['journal_bytes_per_event']:.1f} "
            f"in the journal, {found['syncs']:.0f} groups of {found['sync_ms']:.1f} ms each for write and fdatasync, "
            f"{found['checkpoints']:.0f} checkpoints, {found['unstored_bytes'] / 1e6:.0f} MB told and not yet stored at the end; the worker took {found['worker_cores']:.2f} cores, {used:.0f} ns an event: {threads}")


def stages(runner, events, only="", **words):
    """{stage: what `load stages` tells} of each stage alone, or of one, over a file of the same form."""
    with tempfile.TemporaryDirectory(prefix="ampel-bench-", dir="/var/tmp") as folder:
        path = pathlib.Path(folder) / "events.ampel"
        flags = [word for name, value in words.items() for word in ("--" + name, value)]
        load(runner.bin, "make", path, "--events", events, *flags)
        return {found["name"].removeprefix("stage_"): found for found in
                load(runner.bin, "stages", path, "--journal", folder + "/journal", *(("--only", only) if only else ()))}


def rates_of(alone):
    return ", ".join(f"{name} {one['value'] / 1e6:.1f} M/s, {one['core_ns']:.0f} ns of one core" for name, one in alone.items())


def measure_end_to_end(run):
    events, accounts = (200_000, 10_000) if run.smoke else (8_000_000, 200_000)
    alone = stages(run, events, accounts=accounts, run=20, violations=1)
    if not run.smoke:  # a minute and some seconds more
        speed = end_to_end(run.bin, 10 * events, accounts, settings=CHECKPOINTS, check=False)["events_per_second"]
        events = max(events, int(80 * speed))
    found = end_to_end(run.bin, events, accounts, settings=CHECKPOINTS)
    slowest = min(alone, key=lambda name: alone[name]["value"])
    run.tell("end_to_end", found["events_per_second"], limit=alone[slowest]["value"], digest=found["digest"],
             note=f"the limit is {slowest} alone ({rates_of(alone)}); "
             + detail(found))


def measure_small(run):
    events, accounts = (50_000, 5_000) if run.smoke else (10_000_000, 100_000)
    alone = stages(run, min(events, 1_000_000), accounts=accounts, run=4, batch=16, violations=1)
    found = end_to_end(run.bin, events, accounts, run=4, batch=16, settings=CHECKPOINTS)
    slowest = min(alone, key=lambda name: alone[name]["value"])
    run.tell("end_to_end_small", found["events_per_second"], limit=alone[slowest]["value"], digest=found["digest"],
             note=f"the limit is {slowest} alone ({rates_of(alone)}); " + detail(found))


SHARES = (("p50", 0.5), ("p75", 0.75), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999))


def latencies(run, system, rate, batch, seconds, warm, *more):
    """Untimed for the first warm seconds of it: the first segments of a log are filled with zeroes before they are written, later
    ones are used again, from when each partition was stored once (thirty times checkpoint_every at the latest, half of that here)."""
    words = ["latency", "--endpoint", f"tcp://127.0.0.1:{system.feed_port}", "--watch", f"tcp://127.0.0.1:{system.watch_port}",
             "--key", system.folder / "keys" / "load-0.key", "--rate", rate, "--batch", batch, "--seconds", seconds, "--warm", warm,
             "--disk", system.folder, "--producer", f"latency-{batch}", *more]
    return {found["name"]: found for found in load(run.bin, *words)}


def pauses_of(found):
    """How late a thread woke that runs before all others, with the load and right before it; nothing where no thread may."""
    return {name: {key: found[name][key] for key in ("p50", "p90", "p99", "p999", "most")} | {"gone_percent": found[name + "_gone"]["value"]}
            for name in ("pauses", "pauses_rest") if name in found}


def pauses_text(pauses):
    if len(pauses) < 2:
        return "how long cores were gone is not known: no thread may run before all others here"
    load, rest = (f"p50 {one['p50']:.2f}, p90 {one['p90']:.2f}, p99 {one['p99']:.2f}, p99.9 {one['p999']:.2f}, most {one['most']:.2f} ms, cores "
                  f"gone for over 1 ms {one['gone_percent']:.1f} % of the time" for one in (pauses["pauses"], pauses["pauses_rest"]))
    return f"a thread that runs before all others woke late meanwhile, for the host or the kernel, by {load}; at rest right before by {rest}"


def measure_latency(run):
    half = run.results.get("end_to_end", {}).get("value", 2e6) / 2
    rate, seconds, warm = (20_000, 2, 0.5) if run.smoke else (half, 34, 14)
    with System(run.bin, unstored_bytes_max=CHECKPOINTS["unstored_bytes_max"]) as system:
        rest = latencies(run, system, 10, 1, 2 if run.smoke else 20, 0.5 if run.smoke else 2)
        found = latencies(run, system, rate, BATCH, seconds, warm, "--pauses", 0.2 if run.smoke else 5)
    rest_tell(run, rest)
    run.draw("latency", "From send to ack and to the alert, open loop", "slowest one in", "ms",
             {name: [(1 / (1 - share), found[name][key]) for key, share in SHARES] for name in ("ack", "alert")},
             f"{rate / 1e6:.2f} M events/s in batches of {BATCH} on the same two cores, each timed from when it was due.")
    ack, alert, sync, beside = found["ack"], found["alert"], found["sync_256k"], found["sync_beside"]
    before = "sender and watcher run before others (SCHED_RR), as the worker's threads on the way of an ack do" \
        if found["realtime"]["value"] else "nothing may run before others here"
    goal, pauses = max(5.0, 8 * sync["p99"]), pauses_of(found)
    told = (f"at {rate / 1e6:.2f} M events/s in batches of {BATCH}; p50 {ack['p50']:.2f}, p90 {ack['p90']:.2f}, p99.9 {ack['p999']:.2f}, "
            f"most {ack['most']:.2f} ms of {ack['count']}; goal: 5 ms or eight of the limit, write and fdatasync of 256 KiB alone: p50 "
            f"{sync['p50']:.2f}, p99 {sync['p99']:.2f} ms; 64 KiB fifty times a second beside the load: p50 {beside['p50']:.2f}, "
            f"p90 {beside['p90']:.2f}, p99 {beside['p99']:.2f}; {before}; {pauses_text(pauses)}")
    run.take("ack_p99_ms", {"value": ack["p99"], "unit": "ms", "goal": goal, "better": "less", "limit": sync["p99"],
                            "ratio": ack["p99"] / sync["p99"], "note": told, **pauses})
    run.take("alert_p99_ms", {"value": alert["p99"], "unit": "ms", "goal": 2 * goal, "better": "less",
                              "note": f"p50 {alert['p50']:.2f}, p90 {alert['p90']:.2f}, most {alert['most']:.2f} ms of {alert['count']} alerts"})


def rest_tell(run, found):
    ack, sync, row = found["ack"], found["sync_4k_rest"], found["sync_4k"]
    run.take("ack_rest_ms", {"value": ack["p50"], "unit": "ms", "goal": 0.5 + sync["p50"], "better": "less", "limit": sync["p50"],
                             "ratio": ack["p50"] / sync["p50"],
                             "note": f"p90 {ack['p90']:.2f} ms; write and fdatasync of 4 KiB, twenty a second as machine and disk rest: p50 "
                                     f"{sync['p50']:.2f}, p90 {sync['p90']:.2f} ms; one right behind the other: p50 {row['p50']:.2f}, p90 {row['p90']:.2f}"})


def score_seconds(run, path, as_of_ms):
    """Seconds of one core from file to ratings."""
    before = os.times()
    started = time.monotonic()
    done = subprocess.run([str(run.bin / "ampel"), "score", str(path), "--as-of", str(as_of_ms), "--format", "jsonl", "--no-outlook"],
                          stdout=subprocess.PIPE, check=True)
    after = os.times()
    core = after.children_user + after.children_system - before.children_user - before.children_system
    return time.monotonic() - started, core, done.stdout


def bulk_of(run, name, events, accounts, form, note):
    now_ms = 1790858096789
    with tempfile.TemporaryDirectory(prefix="ampel-bench-", dir="/var/tmp") as folder:
        path = pathlib.Path(folder) / "events"
        load(run.bin, "make", path, "--events", events, "--accounts", accounts, "--run", 20, "--violations", 100, "--form", form,
             "--sent-at", now_ms)
        os.sync()
        tries = [score_seconds(run, path, now_ms) for _ in range(1 if run.smoke else 3)]
    _, core, out = sorted(tries, key=lambda one: one[1])[len(tries) // 2]
    lines = out.decode().splitlines()
    orders = sum(json.loads(line)["orders"] for line in lines)
    violations = sum(len(json.loads(line)["violations"]) for line in lines)
    if orders + violations != events:
        raise RuntimeError(f"{name}: {orders} orders and {violations} violations are not the {events} events")
    run.tell(name, events / core, digest=hashlib.sha256(out).hexdigest()[:16],
             note=note + f"; {len(lines)} accounts printed with their violations, {core:.2f} s of one core in all, the middle of "
                  + ", ".join(f"{one[1]:.2f}" for one in tries))


def measure_bulk(run):
    events, accounts = (100_000, 5_000) if run.smoke else (20_000_000, 1_000_000)
    bulk_of(run, "bulk", events, accounts, "encoded", "events come in runs of 20 an account")
    bulk_of(run, "bulk_jsonl", min(events, 4_000_000), accounts // 5, "jsonl", "likewise")


PARTS = {
    "whole": (measure_end_to_end, ("end_to_end",)),
    "small": (measure_small, ("end_to_end_small",)),
    "latency": (measure_latency, ("ack_rest_ms", "ack_p99_ms", "alert_p99_ms")),
    "bulk": (measure_bulk, ("bulk", "bulk_jsonl")),
}

"""The way as a whole: `ampel feed`, the worker, PostgreSQL, on the cores of this machine."""

import hashlib
import json
import pathlib
import subprocess
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


def ratings_of_file(bin_folder, path, as_of_ms):
    """What `ampel score` says of the same events."""
    done = subprocess.run([str(pathlib.Path(bin_folder) / "ampel"), "score", str(path), "--as-of", str(as_of_ms), "--format",
                           "jsonl", "--no-outlook"], stdout=subprocess.PIPE, text=True, check=True)
    for line in done.stdout.splitlines():
        found = json.loads(line)
        yield "|".join(str(found[name]) for name in
                       ("tenant", "seller", "marketplace", "score", "orders", "order_points", "deducted"))


def ratings_stored(system):
    return system.psql("select tenant, seller, marketplace, score, orders, order_points, deducted from ampel.rating").splitlines()


def feed(system, path, events):
    """Feeds one file; returns (seconds until all is applied, cores used, processor seconds by thread)."""
    before = processor_seconds(system.worker.pid)
    applied = system.metrics()["events_applied_total"]
    started, used = time.monotonic(), time.clock_gettime(time.CLOCK_MONOTONIC)
    feeder = subprocess.Popen([str(system.bin / "ampel"), "feed", str(path)], env=system.environment, cwd=system.folder,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    told = feeder.stdout.read()
    if feeder.wait() != 0 or f"{events} events accepted, 0 refused" not in told:
        raise RuntimeError(f"ampel feed: {told}")
    after, threads = system.wait_applied(applied + events)
    seconds = time.monotonic() - started
    threads = {name: round(spent - before[1].get(name, 0.0), 2) for name, spent in threads.items()}
    return seconds, (after - before[0]) / seconds, threads


def end_to_end(bin_folder, events, accounts, run=20, batch=4096, violations=1, settings=None, check=True):
    """events/s from `ampel feed` of an encoded file to the last one applied, and what there is to know about it."""
    now_ms = int(time.time() * SECONDS_IN_MS)
    with System(bin_folder, **(settings or {})) as system:
        path = system.folder / "events.ampel"
        load(bin_folder, "make", path, "--events", events, "--accounts", accounts, "--run", run, "--batch", batch,
             "--violations", violations, "--sent-at", now_ms)
        seconds, cores, threads = feed(system, path, events)
        metrics = system.metrics()
        found = {"events_per_second": events / seconds, "seconds": seconds, "worker_cores": cores, "threads": threads,
                 "bytes_per_event": path.stat().st_size / events,
                 "journal_bytes_per_event": metrics["journal_written_bytes_total"] / events,
                 "checkpoints": metrics["checkpoints_total"], "checkpoint_pages": metrics["checkpoint_pages_total"],
                 "sync_p99_s": system.quantile("journal_sync_seconds", 0.99),
                 "syncs": metrics["journal_syncs_total"]}
        if check:
            system.store_all()
            stored, told = digest_of(ratings_stored(system)), digest_of(ratings_of_file(bin_folder, path, now_ms))
            if stored != told:
                raise RuntimeError(f"the ratings stored ({stored}) are not those of the events ({told})")
            found["digest"] = stored
        return found


if __name__ == "__main__":
    import sys
    arguments = dict(word.split("=") for word in sys.argv[2:])
    settings = {name[2:]: value for name, value in arguments.items() if name.startswith("s_")}
    numbers = {name: int(value) for name, value in arguments.items() if not name.startswith("s_")}
    print(json.dumps(end_to_end(sys.argv[1], settings=settings, **numbers), indent=1))

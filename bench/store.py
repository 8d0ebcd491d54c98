"""Checkpoints into PostgreSQL and back: what a portfolio of which every account changed costs, in time and in bytes."""

import datetime
import json
import os
import pathlib
import subprocess
import time

from system import TICKS, System
from whole import digest_of, feed, load, ratings_of_files, ratings_stored

# Ten seconds of a day are as long here as a checkpoint takes: vacuum comes as often between them, and may do as much, as it would.
VACUUM_OFTEN = ("alter system set autovacuum_naptime = 1", "alter system set autovacuum_vacuum_cost_delay = 0")
BOUND_OF_A_DAY = 1.5  # tables may be so much larger at the end of a day than at the end of its first quarter


def server_seconds(cluster):
    """Processor time of every process of the server."""
    top = int((cluster.data / "postmaster.pid").read_text().split()[0])
    children = subprocess.run(["pgrep", "-P", str(top)], stdout=subprocess.PIPE, text=True, check=False).stdout.split()
    total = 0.0
    for pid in [top, *children]:
        try:
            words = pathlib.Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            continue
        user, kernel = words[words.rindex(")") + 2:].split()[11:13]
        total += (int(user) + int(kernel)) / TICKS
    return total


def log_bytes(system):
    return int(system.psql("select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint"))


def table_bytes(system):
    rows = system.rows("select relname as name, pg_total_relation_size(c.oid) as bytes from pg_class c "
                       "join pg_namespace n on n.oid = relnamespace where nspname = 'ampel' and relkind = 'r'")
    return {row["name"]: row["bytes"] for row in rows}


def steps(bin_folder, accounts, partitions=64, day=0):
    """[what `load store` told of each step, with the server's processor time, the bytes of its log, and tables' sizes]."""
    found = []
    with System(bin_folder, partitions=partitions, start=False) as system:
        if day > 0:
            for statement in (*VACUUM_OFTEN, "select pg_reload_conf()"):
                system.psql(statement)
        words = [str(system.bin / "load"), "store", "--accounts", str(accounts), "--day", str(day)]
        driver = subprocess.Popen(words, env=system.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        written, spent = log_bytes(system), server_seconds(system.cluster)
        for line in driver.stdout:
            one = json.loads(line)
            one["log_bytes"] = log_bytes(system) - written
            one["server_core_s"] = server_seconds(system.cluster) - spent
            one["tables"] = table_bytes(system)
            found.append(one)
            if day == 0:
                # What the step before left to do is not the next one's.
                system.psql("vacuum (analyze)")
                system.psql("checkpoint")
            written, spent = log_bytes(system), server_seconds(system.cluster)
            driver.stdin.write("\n")
            driver.stdin.flush()
        if driver.wait() != 0:
            raise RuntimeError("load store failed")
    return found


def cores(one):
    return (f"processor time: shard {one['build_core_s']:.2f} s, scribe {one['commit_core_s']:.2f} s, PostgreSQL "
            f"{one['server_core_s']:.2f} s; load average {os.getloadavg()[0]:.0f}")


def pieces(one):
    """Of the shard's processor time, which goes on while the host has the core."""
    text = f"The longest of {one['pieces']} pieces of copies kept a shard {one['longest_piece_ms']:.2f} ms of its processor time"
    if one["stolen_pieces"] == 0:
        return text
    return f"{text}; {one['stolen_pieces']} are left out in which the host took a core (the kernel tells it), the longest {one['longest_stolen_ms']:.2f} ms"


def measure_store(run):
    accounts = 3_000 if run.smoke else 1_000_000
    found = {one["name"]: one for one in steps(run.bin, accounts, partitions=4 if run.smoke else 64)}
    pages, rows, whole = found["pages"], found["rows"], found["all"]
    if pages["accounts"] != accounts or rows["ratings"] != accounts or whole["ratings"] != accounts:
        raise RuntimeError(f"not every account was stored: {found}")
    digest = found["recover"]["digest"]
    run.tell("pages_1m_s", pages["wall_s"] * 1e6 / accounts, digest=digest,
             note=f"partitions are copied while those before them are written: {pages['build_s']:.2f} s and {pages['commit_s']:.2f} s of two scribes together; {cores(pages)}; "
             f"{pages['page_bytes'] / accounts:.0f} bytes of pages and {pages['log_bytes'] / accounts:.0f} of PostgreSQL's log an account")
    run.tell("rows", accounts / rows["wall_s"], digest=digest,
             note=f"rows of which the order counts changed, made ({rows['build_s']:.2f} s) and written ({rows['commit_s']:.2f} s of two scribes together), "
             f"partitions while the next ones are made; {cores(rows)}: {accounts / (rows['server_core_s'] + rows['commit_core_s']):.0f} rows a second of PostgreSQL's and the "
             f"scribe's processor time; {rows['log_bytes'] / accounts:.0f} bytes of the log an account; with a new violation each "
             f"(pages, rating and violation rows): {whole['log_bytes'] / accounts:.0f} bytes and "
             f"{1e6 * whole['server_core_s'] / accounts:.0f} us of PostgreSQL's processor time an account. {pieces(found['beside'])}")


def measure_day(run):
    """Table sizes after as many checkpoints as a day has at one each ten seconds, of accounts that all change each time."""
    accounts, checkpoints = (200, 24) if run.smoke else (1_000, 8_640)
    quarters = [one for one in steps(run.bin, accounts, partitions=1, day=checkpoints) if one["name"] == "day"]
    growing = {"history_row", "alert_row", "violation_row", "clock_row"}  # as what they tell of does

    def kept(one):
        return {name: size for name, size in one["tables"].items() if name not in growing and not name.startswith("history")}
    first, last = kept(quarters[0]), kept(quarters[-1])
    if not run.smoke and sum(last.values()) > BOUND_OF_A_DAY * sum(first.values()):
        raise RuntimeError(f"tables grow over the day: {[kept(one) for one in quarters]}")
    changed = accounts * checkpoints // len(quarters)
    lines = {name: [((i + 1) / 4, kept(one)[name] / accounts) for i, one in enumerate(quarters)]
             for name in ("page", "meta", "rating_row")}
    run.draw("tables_day", "Tables over a day of checkpoints", "days", "bytes an account", lines,
             f"{checkpoints} checkpoints in a row of {accounts} accounts, all of which changed before each. PostgreSQL's log took "
             f"{quarters[-1]['log_bytes'] / changed:.0f} bytes for each account and checkpoint, its processors "
             f"{1e6 * quarters[-1]['server_core_s'] / changed:.0f} us.")


def replay_seconds(system):
    """From where the worker's log says that it reads the journal until it is ready: the middle of three starts after a kill."""
    took = []
    for _ in range(3):
        system.worker.kill()
        system.worker.wait()
        system.start()
        lines = [json.loads(line) for line in system.log_text().splitlines() if "replay begins" in line]
        took.append(system.ready_at - datetime.datetime.fromisoformat(lines[-1]["at"].replace("Z", "+00:00")).timestamp())
    return sorted(took)[1]


def measure_recovery(run):
    accounts, more = (2_000, 20_000) if run.smoke else (1_000_000, 8_000_000)
    now_ms = int(time.time() * 1000)
    with System(run.bin, checkpoint_every=10000) as system:
        files = [system.folder / "first.ampel", system.folder / "second.ampel"]
        load(run.bin, "make", files[0], "--events", 4 * accounts, "--accounts", accounts, "--run", 4, "--sent-at", now_ms)
        load(run.bin, "make", files[1], "--events", more, "--accounts", accounts, "--run", 20, "--violations", 1,
             "--sent-at", now_ms, "--producer", "more", "--seed", 2)
        feed(system, [files[0]], 4 * accounts)
        system.settle()
        system.stop()
        known = int(system.psql("select count(*) from ampel.rating"))
        system.environment["AMPEL_CHECKPOINT_EVERY"] = "3600000"
        system.start()
        seconds = system.ready_seconds
        feed(system, [files[1]], more)
        replay = replay_seconds(system)
        applied = system.metrics()["events_applied_total"]
        if applied < more:
            raise RuntimeError(f"{applied} events were read again, {more} were fed")
        system.stop()  # stores all
        stored = digest_of(ratings_stored(system))
        told = digest_of(ratings_of_files(run.bin, files, now_ms))
        if stored != told:
            raise RuntimeError(f"the ratings stored ({stored}) are not those of the events ({told})")
    run.tell("recovery_1m_s", seconds * 1e6 / known if not run.smoke else seconds, digest=stored,
             note=f"from the start of the worker until it is ready: {seconds:.2f} s for {known} accounts; with {more} events of the log behind the last "
             f"checkpoint {replay:.2f} s more (the middle of three): {more / max(replay, 1e-3) / 1e6:.1f} M events/s; load average {os.getloadavg()[0]:.0f}")


PARTS = {
    "store": (measure_store, ("pages_1m_s", "rows")),
    "day": (measure_day, ()),
    "recovery": (measure_recovery, ("recovery_1m_s",)),
}

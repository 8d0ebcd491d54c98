"""How cost grows as work grows: over accounts, violations an account, batch size, tenants and shards."""

import time

from system import System
from whole import CHECKPOINTS, FEED_TENANTS, end_to_end, feed, load, stages


def events_of(run):
    return 50_000 if run.smoke else 4_000_000


def each_stage(run, values, words):
    """{stage: [(value, ns of one core an event)]}; words gives events and the flags of `load make` for a value."""
    lines = {}
    for value in values:
        for name, found in stages(run, **words(value)).items():
            lines.setdefault(name, []).append((value, found["core_ns"]))
    return lines


def measure_accounts(run):
    counts = (100, 1_000) if run.smoke else (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
    lines = each_stage(run, counts, lambda count: {"events": events_of(run), "accounts": count, "run": 1, "violations": 1})
    run.draw("stages_accounts", "Each stage alone, by accounts", "accounts", "ns of one core an event", lines,
             "Each event is another account's than the one before, drawn at random: the most that accounts can cost.")


def measure_violations(run):
    """As many violations for each count, so that there are fewer accounts where each has more."""
    violations = 10_000 if run.smoke else 1_000_000
    counts = (1, 10) if run.smoke else (1, 10, 100, 1_000, 10_000)
    lines = each_stage(run, counts, lambda count: {"events": violations, "accounts": violations // count, "run": 1,
                                                   "violations": 1000, "only": "apply"})
    run.draw("apply_violations", "Apply, by violations of an account", "violations of an account", "ns of one core a violation", lines,
             f"{violations / 1e6:g} M violations and nothing else, over so many accounts that each gets as many on average, in any order of their times.")


def measure_batch(run):
    batches = (16, 1_000) if run.smoke else (1, 10, 100, 1_000, 10_000, 100_000)
    lines = each_stage(run, batches, lambda batch: {"events": min(events_of(run), 100_000 * batch), "accounts": 100_000, "run": 20,
                                                    "violations": 1, "batch": batch})
    run.draw("stages_batch", "Each stage alone, by batch size", "events in a batch", "ns of one core an event", lines,
             "Events come in runs of 20 an account; 100 000 accounts.")


def tenants_speed(run, tenants):
    """events/s of the whole; one `ampel feed` after another, each for as many tenants as it speaks for."""
    events, now_ms = events_of(run), int(time.time() * 1000)
    with System(run.bin, tenants=tenants, **CHECKPOINTS) as system:
        feeds = []
        for first in range(0, tenants, FEED_TENANTS):
            count = min(FEED_TENANTS, tenants - first)
            share = events * count // tenants
            path = system.folder / f"events-{first}.ampel"
            load(run.bin, "make", path, "--events", share, "--accounts", max(100_000 * count // tenants, count), "--run", 20,
                 "--violations", 1, "--tenants", count, "--tenant-first", first, "--sent-at", now_ms, "--seed", first + 1)
            feeds.append((path, share))
        return sum(share for _, share in feeds) / sum(feed(system, [path], share)[0] for path, share in feeds)


def measure_tenants(run):
    counts = (1, 10) if run.smoke else (1, 10, 100, 1_000, 10_000)
    lines = {"events/s": [(tenants, tenants_speed(run, tenants)) for tenants in counts]}
    run.draw("whole_tenants", "The whole, by tenants", "tenants", "events/s", lines,
             f"{events_of(run) / 1e6:g} M events. One `ampel feed` has a connection for each tenant and speaks for at most 256; for more, one comes after another, and "
             "their starts count: each opens its connections, proves its keys and awaits its last ack.")


def measure_shards(run):
    lines = {"events/s": [(shards, end_to_end(run.bin, events_of(run), 100_000, settings=CHECKPOINTS | {"shards": shards},
                                              check=False)["events_per_second"]) for shards in (1, 2)]}
    run.draw("whole_shards", "The whole, by shards", "shards", "events/s", lines,
             "On two cores a second shard competes with the rest of the way.")


PARTS = {
    "growth_accounts": (measure_accounts, ()),
    "growth_violations": (measure_violations, ()),
    "growth_batch": (measure_batch, ()),
    "growth_tenants": (measure_tenants, ()),
    "growth_shards": (measure_shards, ()),
}

"""How cost grows as work grows: over accounts, violations an account, batch size, tenants and shards."""

from whole import CHECKPOINTS, end_to_end, stages


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


def whole(run, accounts=100_000, tenants=1, **settings):
    """events/s of the whole."""
    return end_to_end(run.bin, events_of(run), accounts, tenants=tenants, settings=CHECKPOINTS | settings, check=False)["events_per_second"]


def measure_tenants(run):
    counts = (1, 10) if run.smoke else (1, 10, 100, 1_000, 10_000)
    lines = {"events/s": [(tenants, whole(run, tenants=tenants)) for tenants in counts]}
    run.draw("whole_tenants", "The whole, by tenants", "tenants", "events/s", lines,
             f"{events_of(run) / 1e6:g} M events of one `ampel feed`, which has a connection for each tenant, up to 240 at once: each proves its key and awaits its last ack.")


def measure_shards(run):
    lines = {"events/s": [(shards, whole(run, shards=shards)) for shards in (1, 2)]}
    run.draw("whole_shards", "The whole, by shards", "shards", "events/s", lines,
             "On two cores a second shard competes with the rest of the way.")


PARTS = {
    "growth_accounts": (measure_accounts, ()),
    "growth_violations": (measure_violations, ()),
    "growth_batch": (measure_batch, ()),
    "growth_tenants": (measure_tenants, ()),
    "growth_shards": (measure_shards, ()),
}

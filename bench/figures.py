"""Every figure that Ampel promises: what it is, its unit and goal, and where the value comes from."""

MORE, LESS = "more", "less"

# name: (title, unit, goal, better)
FIGURES = {
    "apply_1m": ("apply, one core, 1 M accounts, nine orders to one violation", "events/s", 20e6, MORE),
    "apply_10m": ("the same with 10 M accounts", "events/s", 10e6, MORE),
    "apply_zipf": ("the same under a Zipf-skewed load", "events/s", 10e6, MORE),
    "apply_crowded": ("the same with 1 000 violations on each of 1 000 accounts", "events/s", 10e6, MORE),
    "apply_late": ("the same with events up to 30 days late", "events/s", 10e6, MORE),
    "end_to_end": ("`ampel feed` to applied and durable, CURVE, fdatasync, checkpoints", "events/s", 8e6, MORE),
    "end_to_end_small": ("the same in batches of 16 events", "events/s", 1e6, MORE),
    "ack_p99_ms": ("from send to ack at half of that load, open loop, p99", "ms", 5, LESS),
    "alert_p99_ms": ("from send to the alert's arrival, likewise", "ms", 10, LESS),
    "ack_rest_ms": ("one batch of one event at rest, median; goal: 0.5 ms plus one fdatasync", "ms", 0.5, LESS),
    "memory_full": ("an account with hundreds of orders a day and ten violations", "bytes", 1200, LESS),
    "memory_few": ("an account with a few orders a day and two violations", "bytes", 400, LESS),
    "memory_idle": ("an idle account", "bytes", 160, LESS),
    "expiry": ("a month of downtime, 1 M accounts", "expiries/s", 5e6, MORE),
    "growth_ms": ("the longest frame of 2 048 new accounts, up to 10 M in one engine", "ms", 5, LESS),
    "midnight_ms": ("all day rings of 1 M accounts turn", "ms", 100, LESS),
    "pages_1m_s": ("pages of 1 M changed accounts into PostgreSQL", "s", 6, LESS),
    "rows": ("rating rows into PostgreSQL", "rows/s", 1e5, MORE),
    "recovery_1m_s": ("recovery of 1 M accounts", "s", 5, LESS),
    "rules_1m_s": ("1 M accounts computed anew with four variants", "s", 1, LESS),
    "bulk": ("`ampel score` of an encoded file, 20 M events, 1 M accounts, one core", "events/s", 10e6, MORE),
    "bulk_jsonl": ("`ampel score` of JSON Lines, one core", "lines/s", 1e6, MORE),
}


def met(figure):
    value, goal = figure["value"], figure["goal"]
    return value >= goal if figure.get("better", MORE) == MORE else value <= goal

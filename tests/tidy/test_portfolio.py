"""The made-up portfolio is the same for the same seed, and its lines stand in order of time."""

import collections
import json
import pathlib
import subprocess

TOP = pathlib.Path(__file__).resolve().parents[2]
UNTIL = "2026-10-01T12:34:56.789Z"


def portfolio(*arguments):
    command = [TOP / "tests/tools/portfolio.py", "--until", UNTIL, *arguments]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


def test_the_same_seed_gives_the_same_bytes():
    small = ("--accounts", "60", "--days", "30", "--tenants", "a,b")
    assert portfolio(*small, "--seed", "7") == portfolio(*small, "--seed", "7")
    assert portfolio(*small, "--seed", "7") != portfolio(*small, "--seed", "8")


def test_lines_stand_in_order_and_inside_their_days():
    events = [json.loads(line) for line in
              portfolio("--accounts", "100", "--days", "60", "--tenants", "a,b").splitlines()]
    times = [event["at"] for event in events]
    assert times == sorted(times)
    assert times[0] >= "2026-08-02T12:34:56.789Z" and times[-1] <= UNTIL


def test_every_tenant_has_its_share_and_every_violation_comes_before_its_states():
    events = [json.loads(line) for line in
              portfolio("--accounts", "100", "--days", "200", "--tenants", "a,b").splitlines()]
    accounts = collections.Counter(
        tenant for tenant, _ in {(event["tenant"], event["seller"]) for event in events})
    assert accounts == {"a": 50, "b": 50}
    told = set()
    for event in events:
        if event["type"] == "violation":
            told.add((event["seller"], event["id"]))
        if event["type"] == "violation_state":
            assert (event["seller"], event["id"]) in told
    for tenant in "ab":
        assert any(event["tenant"] == tenant and event.get("severity") == "critical"
                   for event in events)

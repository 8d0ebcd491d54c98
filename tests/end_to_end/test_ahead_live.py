"""What is told ahead while a worker runs, its clock moved: clocks that run out, green that will end; each once, over restarts."""

import json

from system import AS_OF_MS, wait_until

HOUR = 3_600_000
DAY = 24 * HOUR
ALERTS = """select seller, kind, cap_group, (extract(epoch from at) * 1000)::bigint as at, score_after,
                   (extract(epoch from deadline) * 1000)::bigint as deadline, cause ->> 'clock' as clock, id
            from ampel.alert where kind in ('will_turn', 'deadline_near') order by number"""
CLOCKS = """select seller, kind, cap_group, resolved_at is null as runs from ampel.deadline
            where kind in ('red', 'cap', 'assurance') order by seller, kind"""


def feed(system, name, at_ms, *events):
    path = system.folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps({"tenant": "demo", "marketplace": "M1", **event}) + "\n" for event in events))
    system.ampel("feed", path, "--sent-at", at_ms)


def alerts_at(system, hours, count):
    """The alerts once a worker has lived at that time."""
    system.start("--clock-at", AS_OF_MS + hours * HOUR, "--clock-speed", 0)
    wait_until(lambda: len(system.rows(ALERTS)) >= count, what=f"{count} alerts")
    system.stop()
    told = system.rows(ALERTS)
    assert len(told) == count, told
    return told


def test_a_clock_warns_a_day_and_four_hours_before_it_runs_out_and_ends_with_its_cause(system):
    system.start("--clock-at", AS_OF_MS, "--clock-speed", 0)
    feed(system, "red", AS_OF_MS,
         {"seller": "S1", "type": "violation", "id": "v1", "policy": "suspected_ip", "severity": "critical", "at": AS_OF_MS},
         {"seller": "S2", "type": "violation", "id": "v2", "policy": "suspected_ip", "severity": "critical", "at": AS_OF_MS})
    system.stop()
    assert alerts_at(system, 47, 0) == []
    told = alerts_at(system, 49, 2)
    assert {row["seller"] for row in told} == {"S1", "S2"} and {row["clock"] for row in told} == {"red"}
    assert {row["at"] for row in told} == {AS_OF_MS + 48 * HOUR}
    assert {row["deadline"] for row in told} == {AS_OF_MS + 72 * HOUR}
    shown = system.ampel("top", "--once").stdout
    assert "CLOCK" in shown and "red 23 h" in shown
    assert json.loads(system.ampel("top", "--once", "--format", "jsonl").stdout.splitlines()[0])["clock"] == "red"
    system.start("--clock-at", AS_OF_MS + 50 * HOUR, "--clock-speed", 0)
    feed(system, "fixed", AS_OF_MS + 50 * HOUR,
         {"seller": "S2", "type": "violation_state", "id": "v2", "state": "approved", "at": AS_OF_MS + 50 * HOUR})
    system.stop()
    told = alerts_at(system, 70, 3)
    assert (told[2]["seller"], told[2]["at"]) == ("S1", AS_OF_MS + 68 * HOUR)
    assert len({row["id"] for row in told}) == 3
    assert system.rows(CLOCKS) == [{"seller": "S1", "kind": "red", "cap_group": None, "runs": True},
                                   {"seller": "S2", "kind": "red", "cap_group": None, "runs": False}]
    alerts_at(system, 80, 3)
    assert "red over" in system.ampel("top", "--once").stdout
    assert "0 problems" in system.ampel("verify").stdout


def test_an_assured_account_in_danger_has_72_hours_to_answer(system):
    day = AS_OF_MS // DAY
    marks = [{"seller": "S1", "type": "day_mark", "lowest": 300, "at": one * DAY} for one in range(day - 180, day)]
    system.start("--clock-at", AS_OF_MS, "--clock-speed", 0)
    feed(system, "assured", AS_OF_MS, {"seller": "S1", "type": "orders_day", "total": 12000, "at": AS_OF_MS},
         *marks, {"seller": "S1", "type": "profile", "professional": True, "emergency_phone": True, "at": AS_OF_MS},
         {"seller": "S1", "type": "account_status", "status": "at_risk", "at": AS_OF_MS})
    system.stop()
    assert [row["kind"] for row in system.rows(CLOCKS)] == ["assurance"]
    assert "AHA 72 h" in system.ampel("top", "--once").stdout
    told = alerts_at(system, 49, 1)
    assert told[0]["clock"] == "assurance"


def test_green_that_will_end_is_told_a_fortnight_before_and_once(system):
    ordered = AS_OF_MS - 160 * DAY
    midnight = (ordered // DAY + 180) * DAY
    system.start("--clock-at", AS_OF_MS, "--clock-speed", 0)
    feed(system, "few", AS_OF_MS, {"seller": "S1", "type": "orders_day", "total": 400, "at": ordered},
         {"seller": "S1", "type": "violation", "id": "v1", "policy": "suspected_ip", "severity": "high", "at": AS_OF_MS})
    system.stop()
    assert alerts_at(system, 24, 0) == []
    told, = alerts_at(system, 24 * 7, 1)
    assert (told["kind"], told["at"], told["deadline"], told["score_after"]) == \
        ("will_turn", midnight - 14 * DAY, midnight, 200)
    alerts_at(system, 24 * 9, 1)
    alerts_at(system, 24 * 21, 1)
    assert system.rows("select status from ampel.rating") == [{"status": "yellow"}]
    assert "0 problems" in system.ampel("verify").stdout

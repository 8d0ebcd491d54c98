"""What to fix first, the forecast and the clocks, read through views while a worker runs, against the golden cases."""

import json

import pytest

from system import AS_OF_MS, GOLDEN, golden_expected

FLAGS = ("--clock-at", AS_OF_MS, "--clock-speed", 0)
FIX = """select tenant, seller, marketplace, id, approved_score as score, approved_raw as raw, approved_risk as risk,
                json_build_object('score', acknowledged_score, 'raw', acknowledged_raw, 'risk', acknowledged_risk)
                    as acknowledged, left_out
         from ampel.fix order by tenant, seller, marketplace, place"""
FORECAST = """select tenant, seller, marketplace, (extract(epoch from at) * 1000)::bigint as at, score, left_out
              from ampel.forecast order by tenant, seller, marketplace, place"""
GREEN = "select tenant, seller, marketplace, to_green, green_known from ampel.outlook"


def by_account(rows):
    accounts = {}
    for row in rows:
        account = tuple(row.pop(key) for key in ("tenant", "seller", "marketplace"))
        accounts.setdefault(account, []).append(row)
    return accounts


def feed(system, name):
    lines = (GOLDEN / f"{name}.events.jsonl").read_text().splitlines()
    system.tenants(*sorted({json.loads(line)["tenant"] for line in lines} - {"demo"}))
    path = system.folder / "events.jsonl"
    path.write_text("\n".join(lines) + "\n")
    done = system.ampel("feed", path, "--sent-at", AS_OF_MS, check=False)
    assert done.returncode in (0, 1), done.stderr


@pytest.mark.parametrize("case", ["basics", "edges", "mixed"])
def test_fix_and_forecast_of_a_golden_case_stand_in_the_views(system, case):
    system.start(*FLAGS)
    feed(system, case)
    system.stop()
    fixes, steps = by_account(system.rows(FIX)), by_account(system.rows(FORECAST))
    greens = by_account(system.rows(GREEN))
    for line in golden_expected(case):
        account = (line["tenant"], line["seller"], line["marketplace"])
        stored = fixes.get(account, [])
        assert {row.pop("left_out") for row in stored} <= {max(0, len(line["fix"]) - 32)}
        assert stored == line["fix"][:32], account
        stored = steps.get(account, [])
        assert {row.pop("left_out") for row in stored} <= {max(0, len(line["forecast"]) - 64)}
        assert stored == line["forecast"][:64], account
        green, = greens[account]
        assert green["green_known"] == (len(line["fix"]) <= 12)
        if green["green_known"]:
            assert green["to_green"] == line["to_green"], account


def test_the_clocks_start_with_red_and_a_cap_and_end_with_them(system):
    account = {"tenant": "demo", "seller": "S1", "marketplace": "M1"}

    def told(name, *events):
        path = system.folder / f"{name}.jsonl"
        path.write_text("".join(json.dumps({**account, **event}) + "\n" for event in events))
        system.ampel("feed", path, "--sent-at", AS_OF_MS)

    def clocks():
        return system.rows("""select kind, cap_group, id, resolved_at is null as runs, runs_out - starts as span
                              from ampel.deadline where kind <> 'repeats' order by kind, id""")

    system.start(*FLAGS)
    told("red", {"type": "violation", "id": "v1", "policy": "suspected_ip", "severity": "critical", "at": AS_OF_MS})
    told("cap", *({"type": "violation", "id": f"r{i}", "policy": "restricted_product", "at": AS_OF_MS} for i in (1, 2)))
    system.stop()
    running = clocks()
    assert [(row["kind"], row["cap_group"], row["runs"]) for row in running if row["kind"] != "expiry"] == \
        [("cap", "restricted", True), ("red", None, True)]
    assert {row["span"] for row in running if row["kind"] != "expiry"} == {"3 days"}
    assert [row["id"] for row in running if row["kind"] == "expiry"] == ["r1", "r2", "v1"]
    shown = system.ampel("top", "--once").stdout
    assert "72 h" in shown and "0..99" in shown
    assert json.loads(system.ampel("top", "--once", "--format", "jsonl").stdout)["deadline"] == "2026-10-04T12:34:56.789Z"
    repeats, = system.rows("select * from ampel.deadline where kind = 'repeats' and cap_group = 'restricted'")
    assert (repeats["cap_group"], repeats["repeats"], repeats["repeats_limit"], repeats["repeats_left"]) == ("restricted", 2, 2, 0)
    assert repeats["runs_out"] == repeats["below_limit_at"]
    system.start(*FLAGS)
    told("back", *({"type": "violation_state", "id": i, "state": "approved", "at": AS_OF_MS} for i in ("v1", "r1", "r2")))
    system.stop()
    assert [(row["kind"], row["runs"]) for row in clocks()] == [("cap", False), ("red", False)]

"""Every golden case, fed live through a worker into PostgreSQL: shuffled, in two halves, with a kill -9 between."""

import csv
import json
import random

import pytest

from system import AS_OF_MS, GOLDEN, TOP, golden_expected

CASES = list(csv.DictReader(open(GOLDEN / "cases.csv", encoding="utf-8")))
RATING = """select tenant, seller, marketplace, score, status, risk, orders, order_points, deducted,
                   infringement_count, restricted_count, score_min, score_max,
                   (extract(epoch from next_change_at) * 1000)::bigint as next_change_at,
                   (extract(epoch from turns_green_at) * 1000)::bigint as turns_green_at,
                   (extract(epoch from turns_yellow_at) * 1000)::bigint as turns_yellow_at,
                   (extract(epoch from turns_red_at) * 1000)::bigint as turns_red_at
            from ampel.rating order by tenant collate "C", seller collate "C", marketplace collate "C" """
VIOLATIONS = """select tenant, seller, marketplace, id, rank, points from ampel.violation
                where state in ('open', 'appealed', 'denied', 'listing_deleted')
                  and at <= to_timestamp({0} / 1000.0) and expires_at > to_timestamp({0} / 1000.0)""".format(AS_OF_MS)


def rules_file(system, overrides):
    """The shipped rules with the case's keys replaced, as an operator would."""
    lines = (TOP / "deploy/rules/amazon.yaml").read_text().splitlines()
    for key, value in (pair.split("=") for pair in overrides.split()):
        section, name = key.split(".")
        inside = False
        for number, line in enumerate(lines):
            if line and not line.startswith((" ", "#", "-")):
                inside = line.startswith(section + ":")
            if inside and line.split("#")[0].strip().startswith(name + ":"):
                indent = line[:len(line) - len(line.lstrip())]
                lines[number] = f'{indent}{name}: "{value}"' if value == "off" else f"{indent}{name}: {value}"
                break
        else:
            raise AssertionError(f"{key} is not a line of the rules file")
    path = system.folder / "rules.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


def colour(score):
    return "green" if score >= 200 else "yellow" if score >= 100 else "red"


def expected_outlook(line):
    """Range, the first step of the forecast, and the first one into each colour from another; cases under other rules
    tell none of it."""
    if "forecast" not in line:
        return {}
    turns = {"next_change_at": line["forecast"][0]["at"] if line["forecast"] else None,
             "turns_green_at": None, "turns_yellow_at": None, "turns_red_at": None}
    before = line["status"]
    for step in line["forecast"]:
        after = colour(step["score"])
        key = f"turns_{after}_at"
        if after != before and turns[key] is None:
            turns[key] = step["at"]
        before = after
    return {"score_min": line["score_min"], "score_max": line["score_max"], **turns}


def expected_rows(case):
    return [{**{key: line[key] for key in ("tenant", "seller", "marketplace", "score", "status", "risk", "orders",
                                           "order_points", "deducted")},
             "infringement_count": line["caps"]["infringement"], "restricted_count": line["caps"]["restricted"],
             **expected_outlook(line)}
            for line in golden_expected(case)]


def expected_violations(case):
    return sorted((line["tenant"], line["seller"], line["marketplace"], v["id"], v["rank"], v["points"])
                  for line in golden_expected(case) for v in line["violations"])


def stored_violations(system):
    return sorted(tuple(row.values()) for row in system.rows(VIOLATIONS))


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_golden_case_fed_live_in_two_halves_with_a_kill_between(system, case):
    lines = (GOLDEN / case["events"]).read_text().splitlines()
    random.Random(case["case"]).shuffle(lines)
    system.tenants(*sorted({json.loads(line)["tenant"] for line in lines} - {"demo"}))
    halves = lines[:len(lines) // 2], lines[len(lines) // 2:]
    flags = ["--clock-at", AS_OF_MS, "--clock-speed", 0]
    if case["overrides"]:
        flags += ["--rules", rules_file(system, case["overrides"])]
    for number, half in enumerate(halves):
        path = system.folder / f"half{number}.jsonl"
        path.write_text("\n".join(half) + "\n")
        system.start(*flags)
        # Events after the time of the question are refused as future or wait: both are not part of it.
        done = system.ampel("feed", path, "--sent-at", AS_OF_MS, "--batch-events", 500, check=False)
        assert done.returncode in (0, 1), done.stderr
        if number == 0:
            system.kill()
    system.stop()
    expected = expected_rows(case["case"])
    assert [{key: row[key] for key in expected[0]} for row in system.rows(RATING)] == expected
    assert stored_violations(system) == expected_violations(case["case"])

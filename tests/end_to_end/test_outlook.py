"""Forecast, fix and rules compare: from files as the golden cases say, and the same from what a worker stored."""

import csv
import datetime
import json
import os
import shutil
import subprocess

import pytest

from system import AS_OF_MS, BIN, GOLDEN, golden_expected

CASES = [case["case"] for case in csv.DictReader(open(GOLDEN / "cases.csv", encoding="utf-8")) if case["forecast"] == "1"]
AT = ("--as-of", AS_OF_MS)
JSON = ("--format", "jsonl")


def ampel(*words, status=0):
    done = subprocess.run([str(BIN / "ampel"), *map(str, words)], capture_output=True, text=True,
                          env=dict(os.environ, AMPEL_ENV="/dev/null"))
    assert done.returncode == status, done.stderr
    return done.stdout


def lines_of(text):
    return [json.loads(line) for line in text.splitlines()]


def ms(text):
    return round(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def name_of(line):
    return "/".join((line["tenant"], line["seller"], line["marketplace"]))


def some(case):
    """The accounts of a case with something to tell, at most eight."""
    return [line for line in golden_expected(case) if line["fix"] or line["forecast"]][:8]


@pytest.mark.parametrize("case", CASES)
def test_forecast_tells_the_steps_and_their_causes(case):
    for line in some(case):
        told, = lines_of(ampel("forecast", name_of(line), GOLDEN / f"{case}.events.jsonl", *AT, *JSON))
        assert [{"at": ms(step["at"]), "score": step["score"]} for step in told["steps"]] == line["forecast"]
        assert (told["score_min"], told["score_max"]) == (line["score_min"], line["score_max"])
        first = told["steps"][0]["at"] if told["steps"] else None
        assert told["next_change_at"] == first
        known = {violation["id"] for violation in line["violations"]}
        for step in told["steps"]:
            assert step["causes"]
            if "violation" in step["causes"]:
                assert step["violation"] in known
            if "orders" in step["causes"]:
                assert ms(step["at"]) % 86_400_000 == 0
        colours = [line["status"]] + [step["status"] for step in told["steps"]]
        leaves = next((step["at"] for step in told["steps"] if step["status"] != "green"), None)
        assert told["leaves_green_at"] == (leaves if colours[0] == "green" else None)


@pytest.mark.parametrize("case", CASES)
def test_fix_tells_both_ways_and_the_way_back_to_green(case):
    for line in some(case):
        told, = lines_of(ampel("fix", name_of(line), GOLDEN / f"{case}.events.jsonl", *AT, *JSON))
        assert [{"id": fix["id"],
                 **{key: fix["approved"][key] for key in ("score", "raw", "risk")},
                 "acknowledged": {key: fix["acknowledged"][key] for key in ("score", "raw", "risk")}}
                for fix in told["fix"]] == line["fix"]
        assert told["to_green"] == line["to_green"] and told["to_green_exact"]
        points = {violation["id"]: violation["points"] for violation in line["violations"]}
        for fix in told["fix"]:
            assert fix["points"] == points[fix["id"]]
            assert fix["acknowledged"]["next_rank"] == fix["next_rank"]
            assert fix["approved"]["gain"] == fix["approved"]["score"] - line["score"]
            if "cap" in fix:
                assert fix["cap_count"] == fix["acknowledged"]["cap_count"] == fix["approved"]["cap_count"] + 1


def test_the_portfolio_puts_what_returns_most_first():
    rows = lines_of(ampel("fix", "--portfolio", GOLDEN / "mixed.events.jsonl", *AT, *JSON))
    assert len(rows) == sum(len(line["fix"]) for line in golden_expected("mixed"))
    risks = ["none", "at_risk", "eligible", "immediate"]
    keys = [(risks.index(row["approved"]["risk"]) - risks.index(row["risk"]), -row["approved"]["gain"]) for row in rows]
    assert keys == sorted(keys)
    tenant = rows[0]["account"].split("/")[0]
    few = lines_of(ampel("fix", "-p", "--tenant", tenant, "--limit", 3, GOLDEN / "mixed.events.jsonl", *AT, *JSON))
    assert few == [row for row in rows if row["account"].startswith(tenant + "/")][:3]


@pytest.mark.parametrize("key", ["repeat.ladder=off", "caps.effect=zero", "critical.value=99", "window_days=90"])
def test_compare_tells_what_scoring_twice_tells(key):
    events = GOLDEN / "edges.events.jsonl"
    sets = ["--set", key] + (["--set", "critical.mode=cap"] if key.startswith("critical") else [])
    rows = lines_of(ampel("rules", "compare", "default", "default", *sets, "--all", events, *AT, *JSON))
    a, b = (lines_of(ampel("score", events, *AT, *JSON, "--no-outlook", *words)) for words in ([], sets))
    names = ("score", "status", "risk")
    expected = {name_of(x): {"account": name_of(x), "a": {n: x[n] for n in names}, "b": {n: y[n] for n in names}}
                for x, y in zip(a, b) if any(x[n] != y[n] for n in names)}
    assert expected and {row["account"]: row for row in rows} == expected


@pytest.mark.parametrize("case", ["mixed", "edges"])
def test_what_is_stored_answers_as_the_files_do(system, case):
    events = system.folder / "events.jsonl"  # refused events are written beside it
    shutil.copy(GOLDEN / f"{case}.events.jsonl", events)
    tenants = {json.loads(line)["tenant"] for line in events.read_text().splitlines()}
    system.tenants(*sorted(tenants - {"demo"})).start("--clock-at", AS_OF_MS, "--clock-speed", 0)
    done = system.ampel("feed", events, "--sent-at", AS_OF_MS, "--batch-events", 500, check=False)
    assert done.returncode in (0, 1), done.stderr
    system.stop()
    for line in some(case)[:4]:
        for command in ("forecast", "fix"):
            assert system.ampel(command, name_of(line), *JSON).stdout == ampel(command, name_of(line), events, *AT, *JSON)
    assert system.ampel("fix", "-p", *JSON).stdout == ampel("fix", "-p", events, *AT, *JSON)
    sets = ("--set", "repeat.ladder=off")
    live = system.ampel("rules", "compare", "default", "default", "--live", "--all", *sets)
    assert live.stdout == ampel("rules", "compare", "default", "default", "--all", *sets, events, *AT)
    assert system.ampel("fix", "nobody/at/all", check=False).returncode == 1
    assert system.ampel("fix", "nonsense", check=False).returncode == 1


@pytest.mark.parametrize("words", [("forecast",), ("fix",), ("fix", "a/b/c", "--limit", "3"), ("rules",), ("rules", "set2"),
                                   ("rules", "compare", "default"), ("rules", "compare", "default", "default"),
                                   ("forecast", "a/b/c", "--as-of", "now")])
def test_wrong_words_are_told(words):
    done = subprocess.run([str(BIN / "ampel"), *words], capture_output=True, text=True,
                          env=dict(os.environ, AMPEL_ENV="/dev/null"))
    assert done.returncode == 2 and done.stderr and not done.stdout

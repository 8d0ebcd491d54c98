"""Every field of every golden case through `ampel score`, in any order of the lines and any split into files."""

import csv
import json
import random
import subprocess

import pytest

from system import BIN, GOLDEN

CASES = list(csv.DictReader(open(GOLDEN / "cases.csv", encoding="utf-8")))
OUTLOOK = {"score_min", "score_max", "fix", "to_green", "forecast"}
AMPEL = BIN / "ampel"


def score(case, files, *flags, stdin=None):
    sets = [word for pair in case["overrides"].split() for word in ("--set", pair)]
    done = subprocess.run([AMPEL, "score", "--as-of", case["as_of_ms"], "--format", "jsonl", *sets, *flags, *files],
                          capture_output=True, text=True, input=stdin)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def expected(case):
    return [json.loads(line) for line in (GOLDEN / f"{case['case']}.expected.jsonl").read_text().splitlines()]


def assert_same(actual, case):
    """More keys may follow, but what the golden file says stands as it says."""
    lines = expected(case)
    assert [(line["tenant"], line["seller"], line["marketplace"]) for line in actual] == \
           [(line["tenant"], line["seller"], line["marketplace"]) for line in lines]
    for got, wanted in zip(actual, lines):
        if case["forecast"] == "1":
            assert OUTLOOK <= wanted.keys()
        for key, value in wanted.items():
            assert got[key] == value, f"{case['case']} {wanted['seller']}: {key}"


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_every_field_of_a_case(case):
    assert_same(score(case, [GOLDEN / case["events"]]), case)


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
@pytest.mark.parametrize("seed", range(2))
def test_shuffled_split_and_doubled_lines_change_nothing(case, seed, tmp_path):
    chance = random.Random(f"{case['case']} {seed}")
    lines = (GOLDEN / case["events"]).read_text().splitlines()
    others = [line for line in lines if json.loads(line)["type"] != "order"]
    lines += chance.sample(others, len(others) // 10)
    chance.shuffle(lines)
    files, parts = [], chance.randint(2, 7)
    for part in range(parts):
        path = tmp_path / f"{part}.jsonl"
        path.write_text("".join(line + "\n" for line in lines[part::parts]))
        files.append(path)
    assert_same(score(case, files), case)


def test_without_the_outlook_the_rating_is_the_same():
    case = CASES[0]
    for whole, short in zip(score(case, [GOLDEN / case["events"]]),
                            score(case, ["-"], "--no-outlook", stdin=(GOLDEN / case["events"]).read_text())):
        assert not OUTLOOK & short.keys()
        assert short == {key: value for key, value in whole.items() if key in short}

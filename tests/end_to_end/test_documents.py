"""Files in, files out, without a worker: replay, pictures, the agency's own lists."""

import json
import os
import subprocess
import time

import pytest

from system import BIN, GOLDEN

AS_OF = "2026-10-01T12:34:56.789Z"
DAY_MS = 86_400_000


@pytest.fixture
def ampel(tmp_path):
    def run(*words, status=0, stdin=None, **environment):
        done = subprocess.run([str(BIN / "ampel"), *map(str, words)], input=stdin, text=True, cwd=tmp_path,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                              env=dict(os.environ, AMPEL_ENV="/dev/null", LC_ALL="C", **environment))
        assert done.returncode == status, f"ampel {words} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done
    return run


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


# ---- replay

def account_of(line):
    return line["tenant"], line["seller"], line["marketplace"]


@pytest.mark.parametrize("name", ["basics", "edges", "mixed", "heavy"])
def test_a_replay_ends_where_score_stands(ampel, name):
    events = GOLDEN / f"{name}.events.jsonl"
    last = {account_of(line): line["after"]
            for line in lines(ampel("replay", events, "--until", AS_OF, "--format", "jsonl").stdout)
            if line["kind"] == "score"}
    scores = lines(ampel("score", events, "--as-of", AS_OF, "--format", "jsonl").stdout)
    assert len(scores) == len(last) > 0
    for line in scores:
        shown = last[account_of(line)]
        assert (line["score"], line["status"], line["risk"]) == (shown["score"], shown["status"], shown["risk"])


def test_a_replay_is_in_the_order_of_time_with_numbers_from_one_and_ids_of_their_own(ampel):
    told = lines(ampel("replay", GOLDEN / "mixed.events.jsonl", "--until", AS_OF, "--format", "jsonl").stdout)
    assert [line["at"] for line in told] == sorted(line["at"] for line in told)
    assert len({line["id"] for line in told}) == len(told)
    for key in {(line["tenant"], line["stream"]) for line in told}:
        numbers = [line["number"] for line in told if (line["tenant"], line["stream"]) == key]
        assert numbers == list(range(1, len(numbers) + 1))


def test_each_score_of_a_replay_begins_where_the_last_one_ended(ampel):
    shown = {}
    for line in lines(ampel("replay", GOLDEN / "heavy.events.jsonl", "--until", AS_OF, "--format", "jsonl").stdout):
        if line["kind"] != "score":
            continue
        if line.get("new"):
            assert account_of(line) not in shown
        else:
            assert [line["before"][key] for key in ("score", "status", "risk")] == shown[account_of(line)]
        shown[account_of(line)] = [line["after"][key] for key in ("score", "status", "risk")]


def test_the_order_of_lines_does_not_alter_a_replay(ampel, tmp_path):
    events = (GOLDEN / "edges.events.jsonl").read_text().splitlines()
    (tmp_path / "backwards.jsonl").write_text("\n".join(reversed(events)) + "\n")
    words = ["--until", AS_OF, "--format", "jsonl"]

    def ends(path):
        return {account_of(line): (line["at"], line["after"]["score"])
                for line in lines(ampel("replay", path, *words).stdout) if line["kind"] == "score"}
    assert ends(GOLDEN / "edges.events.jsonl") == ends("backwards.jsonl")


def violation(id, at, policy="listing_policy", severity="low", **more):
    return json.dumps({"tenant": "t", "seller": "s", "marketplace": "m", "type": "violation", "at": at, "id": id,
                       "policy": policy, "severity": severity, **more})


def state(id, at, name):
    return json.dumps({"tenant": "t", "seller": "s", "marketplace": "m", "type": "violation_state", "at": at,
                       "id": id, "state": name})


def test_a_day_mark_is_the_lowest_score_of_each_closed_day(ampel):
    events = "\n".join([violation("v1", "2026-09-01T10:00:00Z", severity="high"),
                        state("v1", "2026-09-01T12:00:00Z", "approved"),
                        violation("v2", "2026-09-03T00:00:00Z"),
                        state("v2", "2026-09-04T00:00:00Z", "approved")])
    done = ampel("replay", "-", "--until", "2026-09-06T23:59:59.999Z", "--day-marks", stdin=events)
    marks = [(line["at"], line["lowest"]) for line in lines(done.stdout)]
    assert marks == [("2026-09-01T00:00:00.000Z", 192), ("2026-09-02T00:00:00.000Z", 200),
                     ("2026-09-03T00:00:00.000Z", 198), ("2026-09-04T00:00:00.000Z", 200),
                     ("2026-09-05T00:00:00.000Z", 200)]
    again = ampel("score", "-", "--as-of", "2026-09-07T00:00:00Z", "--format", "jsonl", stdin=done.stdout)
    assert lines(again.stdout)[0]["score"] == 200, "marks are events that every command reads"


def test_a_replay_at_a_speed_takes_its_time(ampel):
    events = "\n".join([violation("v1", "2026-09-01T10:00:00Z"), violation("v2", "2026-09-01T10:00:01Z")])
    started = time.monotonic()
    done = ampel("replay", "-", "--until", "2026-09-02T00:00:00Z", "--speed", 2, "--format", "jsonl", stdin=events)
    assert time.monotonic() - started >= 0.5
    assert [line["after"]["score"] for line in lines(done.stdout) if line["kind"] == "score"] == [198, 194]


def test_people_read_a_replay_as_they_read_watch(ampel):
    done = ampel("replay", "-", "--until", "2027-09-02T00:00:00Z", "--alerts",
                 stdin=violation("v1", "2026-09-01T10:00:00Z"))
    assert "colour_changed" in done.stdout and "because of violation v1 (listing_policy)" in done.stdout
    assert "because a violation left the window: v1" in done.stdout
    assert "score  " not in done.stdout

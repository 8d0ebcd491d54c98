"""Suspicions: told by replay as documented, kept by a worker, and found in a generated year, small size."""

import json
import sys

import pytest

from system import AS_OF_MS, BIN, TOP

sys.path.insert(0, str(TOP / "tests" / "tools"))
import takeover_measure  # noqa: E402
import takeover_other  # noqa: E402
import takeover_year  # noqa: E402

FLAGS = ("--clock-at", AS_OF_MS, "--clock-speed", 0)
ACCOUNT = {"tenant": "demo", "seller": "S1", "marketplace": "M1"}
HOUR = 3_600_000


def write(path, *events):
    path.write_text("".join(json.dumps(ACCOUNT | event) + "\n" for event in events))
    return path


def signal(kind, hours_ago):
    return {"type": "signal", "kind": kind, "at": AS_OF_MS - hours_ago * HOUR}


def year(maker, variant, seed, accounts, takeovers, folder, *settings):
    """What is suspected of a made-up year."""
    events, truth = folder / f"{variant}.jsonl", folder / f"{variant}.truth"
    maker.make(variant, seed, accounts, takeovers, events, truth)
    summary, *known = [json.loads(line) for line in truth.read_text().splitlines()]
    told = takeover_measure.replay(str(BIN / "ampel"), str(events), settings)
    return takeover_measure.judge(told, known, summary, False)


@pytest.mark.parametrize("maker", [takeover_year, takeover_other])
def test_the_same_seed_makes_the_same_year(maker, tmp_path):
    for name in ("a", "b"):
        maker.make("slow", "7", 40, 10, tmp_path / name, tmp_path / f"{name}.truth")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a.truth").read_bytes() == (tmp_path / "b.truth").read_bytes()


@pytest.mark.parametrize("maker, variant", [(takeover_year, "everyday"), (takeover_other, "other")])
def test_most_takeovers_of_a_small_year_are_found_and_few_others_suspected(maker, variant, tmp_path):
    found = year(maker, variant, "3", 90, 30, tmp_path)
    assert found["takeovers"] == 30
    assert found["found"] >= 0.9 * found["takeovers"]
    assert found["median"] <= 30
    assert found["false"] <= 3


def test_nothing_is_found_under_a_threshold_that_nothing_reaches(tmp_path):
    assert year(takeover_other, "other", "3", 10, 10, tmp_path)["found"] >= 8
    assert year(takeover_other, "other", "3", 10, 10, tmp_path, "takeover.threshold=64000")["found"] == 0


def test_a_worker_keeps_a_suspicion_and_ends_it(system):
    system.start(*FLAGS)
    first = write(system.folder / "first.jsonl", signal("email_phone_change", 5), signal("deposit_change", 3))
    system.ampel("feed", first, "--sent-at", AS_OF_MS)
    system.stop()
    kept, = system.rows("select tenant, seller, marketplace, weight, signals from ampel.takeover")
    assert {key: kept[key] for key in ACCOUNT} == ACCOUNT
    assert kept["weight"] == 110
    assert [one["kind"] for one in kept["signals"]] == ["email_phone_change", "deposit_change"]
    assert "takeover?" in system.ampel("top", "--once").stdout
    # Another worker knows what was told: a kind that joins grows it, announced work ends it.
    system.start(*FLAGS)
    grown = write(system.folder / "grown.jsonl", signal("new_user_or_app", 1))
    system.ampel("feed", grown, "--sent-at", AS_OF_MS)
    work = {"type": "maintenance", "at": AS_OF_MS - 10 * HOUR, "until": AS_OF_MS}
    system.ampel("feed", write(system.folder / "work.jsonl", work), "--sent-at", AS_OF_MS)
    system.stop()
    told = system.rows("""select kind, weight, extract(epoch from since) * 1000 as since from ampel.alert_row
                          where kind like 'takeover%' order by number""")
    assert [row["kind"] for row in told] == ["takeover_suspected", "takeover_suspected", "takeover_cleared"]
    assert [row["weight"] for row in told] == [110, 150, 0]
    assert len({row["since"] for row in told}) == 1
    assert system.rows("select * from ampel.takeover") == []
    assert "takeover?" not in system.ampel("top", "--once").stdout


def test_replay_names_account_time_and_signals(system):
    path = write(system.folder / "events.jsonl", signal("email_phone_change", 5), signal("deposit_change", 3))
    lines = [json.loads(line) for line in system.ampel("replay", path, "--format", "jsonl").stdout.splitlines()]
    told, = [line for line in lines if line["kind"] == "takeover_suspected"]
    assert {key: told[key] for key in ACCOUNT} == ACCOUNT
    assert [(one["kind"], one["group"], one["weight"]) for one in told["signals"]] == [
        ("email_phone_change", "contact", 50), ("deposit_change", "payout", 60)]
    assert told["at"] == told["since"] == told["signals"][1]["at"]
    # Explained with the score, for people and for programs.
    line = json.loads(system.ampel("explain", "demo/S1/M1", path, "--as-of", AS_OF_MS, "--format", "jsonl").stdout)
    assert line["takeover"] == {"suspected": True, "since": told["since"], "weight": 110, "signals": told["signals"]}
    shown = system.ampel("explain", "demo/S1/M1", path, "--as-of", AS_OF_MS).stdout
    assert "taken over?" in shown and "deposit_change" in shown
    alone = write(system.folder / "alone.jsonl", signal("storefront_text", 5), signal("price_cut", 3), signal("new_category", 3))
    assert "all of one group: weight 118" in system.ampel("explain", "demo/S1/M1", alone, "--as-of", AS_OF_MS, "--lang", "en").stdout

"""The life of a system: alerts, watching from a number, restarts, the example feeder, both ways to stop."""

import json
import re
import subprocess
import time

from system import AS_OF_MS, BIN, GOLDEN, TOP, golden_scores, wait_until

FLAGS = ("--clock-at", AS_OF_MS, "--clock-speed", 0)
ACCOUNT = {"tenant": "demo", "seller": "S1", "marketplace": "M1"}


def violation(number, **other):
    return {**ACCOUNT, "type": "violation", "id": f"v{number}", "policy": "restricted_product",
            "at": AS_OF_MS - 1000 + number, **other}


def feed(system, name, *events, flags=()):
    path = system.folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    return system.ampel("feed", path, "--sent-at", AS_OF_MS, *flags)


def watch(system, *flags):
    done = system.ampel("watch", "--tenant", "demo", "--format", "jsonl", *flags)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_alerts_say_what_changed_why_and_until_when(system):
    system.start(*FLAGS)
    feed(system, "orders", {**ACCOUNT, "type": "orders_day", "at": AS_OF_MS, "total": 12000})
    feed(system, "first", violation(1))
    feed(system, "second", violation(2))
    feed(system, "third", violation(3, severity="critical"))
    alerts = watch(system, "--from", 1, "--count", 5, "--seconds", 10)
    kinds = [alert["kind"] for alert in alerts]
    assert kinds[0] == "cap_near"
    assert sorted(kinds[1:3]) == ["cap_reached", "risk_changed"]
    assert sorted(kinds[3:]) == ["colour_changed", "critical_violation"]
    assert [alert["number"] for alert in alerts] == list(range(1, len(alerts) + 1))
    reached = next(alert for alert in alerts if alert["kind"] == "cap_reached")
    assert reached["cap_group"] == "restricted"
    assert reached["cause"]["id"] == "v2" and reached["cause"]["policy"] == "restricted_product"
    assert reached["before"]["score"] == 432 and reached["after"]["score"] == 416
    assert reached["after"]["risk"] == "immediate"
    assert reached["deadline"] == "2026-10-04T12:34:56.789Z"
    wait_until(lambda: system.sql("select count(*) from ampel.alert") == str(len(alerts)))
    assert system.sql("select string_agg(id, ',' order by number) from ampel.alert") == \
        ",".join(alert["id"] for alert in alerts)


def test_a_watcher_gets_what_comes_and_after_a_kill_nothing_twice(system):
    system.start(*FLAGS)
    feed(system, "orders", {**ACCOUNT, "type": "orders_day", "at": AS_OF_MS, "total": 12000})
    feed(system, "first", violation(1))
    wait_until(lambda: system.sql("select count(*) from ampel.alert") == "1")
    feed(system, "second", violation(2))
    system.kill()
    system.start(*FLAGS)
    alerts = watch(system, "--from", 1, "--seconds", 3)
    assert len({alert["id"] for alert in alerts}) == len(alerts) == 3
    wait_until(lambda: system.sql("select count(*) || ' ' || count(distinct id) from ampel.alert") == "3 3")


def test_a_watcher_that_outlives_the_worker_is_told_nothing_from_before_it_came(system):
    system.start(*FLAGS)
    feed(system, "orders", {**ACCOUNT, "type": "orders_day", "at": AS_OF_MS, "total": 12000})
    feed(system, "first", violation(1))
    wait_until(lambda: system.sql("select count(*) from ampel.alert") == "1")
    watcher = subprocess.Popen([str(BIN / "ampel"), "watch", "--tenant", "demo", "--format", "jsonl", "--seconds", "60",
                                "--count", "5"], env=system.environment, stdout=subprocess.PIPE, text=True)
    wait_until(lambda: system.metric("watchers") == 1)
    feed(system, "second", violation(2))
    system.stop()
    system.start(*FLAGS)
    feed(system, "third", violation(3, severity="critical"))
    numbers = [json.loads(watcher.stdout.readline())["number"] for _ in range(4)]
    time.sleep(0.5)  # whatever is asked for again has come by now
    feed(system, "fourth", violation(4, severity="critical"))
    numbers += [json.loads(line)["number"] for line in watcher.communicate(timeout=60)[0].splitlines()]
    assert numbers == [2, 3, 4, 5, 6]


def test_a_backfill_raises_one_summary_for_each_account(system):
    system.start("--clock-at", AS_OF_MS, "--clock-speed", 100)
    feed(system, "old", *(violation(number) for number in range(1, 6)), flags=("--backfill",))
    alerts = watch(system, "--from", 1, "--count", 1, "--seconds", 20)
    assert [alert["kind"] for alert in alerts] == ["backfill_summary"]
    assert alerts[0]["after"]["risk"] == "immediate"
    assert system.sql("select count(*) from ampel.alert where kind <> 'backfill_summary'") == "0"


def test_points_return_without_any_traffic(system):
    """180 days at 100 000 times the clock's speed would be too long: start just before the edge."""
    system.start("--clock-at", AS_OF_MS, "--clock-speed", 0)
    feed(system, "one", violation(1), {**ACCOUNT, "type": "order", "at": AS_OF_MS, "count": 200})
    wait_until(lambda: system.sql("select score from ampel.rating") == "196")
    system.stop()
    edge = AS_OF_MS - 999 + 180 * 86_400_000
    system.start("--clock-at", edge - 1500, "--clock-speed", 1)
    wait_until(lambda: system.sql("select score from ampel.rating") == "200", 10, "the points of v1")
    assert system.sql("select cause from ampel.rating_history order by at desc limit 1") == "expiry"
    assert system.sql("select extract(epoch from at) * 1000 = %d from ampel.rating_history order by at desc limit 1"
                      % edge) == "t"


def test_scores_stream_and_history_agree(system):
    system.start(*FLAGS)
    for number in range(1, 4):
        feed(system, f"f{number}", violation(number, policy="listing_policy"))
    scores = watch(system, "--scores", "--from", 1, "--count", 3, "--seconds", 10)
    assert [line["after"]["score"] for line in scores] == [198, 194, 186]
    wait_until(lambda: system.sql("select string_agg(score::text, ',' order by number) from ampel.rating_history")
               == "198,194,186")


def test_the_example_feeder_in_another_language(system):
    system.start(*FLAGS)
    lines = [line for line in (GOLDEN / "basics.events.jsonl").read_text().splitlines()]
    path = system.folder / "basics.jsonl"
    path.write_text("\n".join(lines) + "\n")
    environment = dict(system.environment, AMPEL_SENT_AT=str(AS_OF_MS))
    done = subprocess.run(["/usr/bin/python3", str(TOP / "proto/examples/feeder.py"), "demo", str(path)],
                          env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    wait_until(lambda: system.scores() == golden_scores("basics"), what="the golden scores")


def test_encoded_files_are_fed_as_they_are(system):
    system.start(*FLAGS)
    system.ampel("encode", GOLDEN / "basics.events.jsonl", "-o", "basics.ampel", "--sent-at", AS_OF_MS,
                 "--batch-events", 10)
    assert "in 6 batches" in system.ampel("feed", "basics.ampel").stdout
    assert "6 of them were durable before" in system.ampel("feed", "basics.ampel").stdout
    wait_until(lambda: system.scores() == golden_scores("basics"), what="the golden scores")


def test_a_file_is_one_file_however_it_is_called(system):
    """deploy/up fed var/portfolio.jsonl by its whole path; by hand, as the README says, it was fed once more under its short one."""
    system.start(*FLAGS)
    folder = system.folder / "events"
    folder.mkdir()
    (folder / "one.jsonl").write_bytes((GOLDEN / "basics.events.jsonl").read_bytes())
    (system.folder / "link.jsonl").symlink_to(folder / "one.jsonl")
    words = ("--sent-at", AS_OF_MS, "--refused", "refused.jsonl", "--batch-events", 10)
    assert "durable before" not in system.ampel("feed", folder / "one.jsonl", *words).stdout
    for name in ("events/one.jsonl", "./events/../events/one.jsonl", folder / "one.jsonl"):
        assert re.search(r"in (\d+) batches \(\1 of them were durable before\)", system.ampel("feed", name, *words).stdout)
    assert " ./one.jsonl\n" in (folder / "one.jsonl.feed").read_text()
    state = ("--state", folder / "one.jsonl.feed")
    assert "durable before" in system.ampel("feed", "link.jsonl", *words, *state).stdout
    moved = system.folder / "moved"
    folder.rename(moved)
    assert "durable before" in system.ampel("feed", "moved/one.jsonl", *words).stdout


def test_top_and_explain_show_what_is_stored(system):
    system.start(*FLAGS)
    system.ampel("feed", GOLDEN / "basics.events.jsonl", "--sent-at", AS_OF_MS, "--state", "basics.state",
                 "--refused", "refused.jsonl")
    wait_until(lambda: system.sql("select count(*) from ampel.rating") == "26")
    top = system.ampel("top", "--once", "--limit", 5).stdout.splitlines()
    assert top[0].startswith("26 accounts") and len(top) == 8
    rows = [json.loads(line) for line in
            system.ampel("top", "--once", "--limit", 0, "--format", "jsonl").stdout.splitlines()]
    assert len(rows) == 26
    # Who may be deactivated now comes first; of the same score those whose cap is reached.
    order = {"immediate": (0, 0), "eligible": (0, 1), "at_risk": (1, 0), "none": (1, 0)}
    assert rows == sorted(rows, key=lambda row: (order[row["risk"]][0], row["score"], order[row["risk"]][1], row["seller"]))
    assert {row["risk"] for row in rows} == set(order)
    assert all(list(row["caps"]) == ["infringement", "restricted"] for row in rows)
    stored = json.loads(system.ampel("explain", "demo/CASE07/A1PA6795UKMFR9", "--format", "jsonl").stdout)
    computed = json.loads(system.ampel("explain", "demo/CASE07/A1PA6795UKMFR9", GOLDEN / "basics.events.jsonl",
                                       "--as-of", AS_OF_MS, "--format", "jsonl").stdout)
    for line in (stored, computed):
        assert line["score"] == line["raw"] == 138 and len(line["violations"]) == 5
    assert stored["violations"] == computed["violations"]
    assert system.ampel("explain", "demo/NOBODY/X", check=False).returncode == 1


def test_imported_documents_reach_the_ratings(system):
    # Samples made for the middle of June 2026; the clock stands then.
    noon = 1781524800000
    system.tenants("nordlicht").start("--clock-at", noon + 3_600_000, "--clock-speed", 0)
    memory = system.folder / "seen"
    for sample in sorted((TOP / "deploy/samples").glob("*.notifications.jsonl")):
        seller = sample.name.split(".")[0]
        target = system.folder / sample.name
        target.write_bytes(sample.read_bytes())
        words = ("import", "notification", target, "--account", f"nordlicht/{seller}/A1PA6795UKMFR9",
                 "--memory", memory)
        first = system.ampel(*words).stdout
        assert '"type"' in first
        assert system.ampel(*words).stdout == "", "a second run counts nothing twice"
        events = system.folder / f"{seller}.jsonl"
        events.write_text(first)
        system.ampel("feed", events, "--sent-at", noon + 3_600_000)
    wait_until(lambda: int(system.sql("select coalesce(sum(orders), 0) from ampel.rating")) > 0)


def test_an_orderly_stop_stores_everything_and_the_next_start_replays_nothing(system):
    system.environment["AMPEL_CHECKPOINT_EVERY"] = "60000"
    system.start(*FLAGS)
    feed(system, "one", *(violation(number) for number in range(1, 4)))
    started = time.monotonic()
    system.stop()
    assert time.monotonic() - started < 15
    assert system.sql("select count(*) from ampel.violation") == "3"
    system.start(*FLAGS)
    assert system.metric("frames_applied_total") == 0


def test_two_shards_give_the_same_ratings(system):
    system.start(*FLAGS, "--shards", 2)
    system.ampel("feed", GOLDEN / "basics.events.jsonl", "--sent-at", AS_OF_MS, "--state", "basics.state")
    system.stop()
    assert system.scores() == golden_scores("basics")

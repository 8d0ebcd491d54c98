"""Rules set while a worker runs: every account is computed anew, told with the cause, and the same after a kill."""

import json

from system import AS_OF_MS, GOLDEN, TOP, golden_expected, wait_until

FLAGS = ("--clock-at", AS_OF_MS, "--clock-speed", 0)
SHOWN = """select tenant, seller, marketplace, score, status, risk, deducted, rules_version, score_min, score_max
           from ampel.rating order by tenant collate "C", seller collate "C", marketplace collate "C" """


def rules_file(system, version, **replaced):
    """The shipped rules with other words in them."""
    text = (TOP / "deploy/rules/amazon.yaml").read_text().replace("amazon-1", version)
    for old, new in replaced.values():
        assert old in text
        text = text.replace(old, new)
    path = system.folder / f"{version}.yaml"
    path.write_text(text)
    return path


def feed_golden(system, case):
    lines = (GOLDEN / f"{case}.events.jsonl").read_text().splitlines()
    system.tenants(*sorted({json.loads(line)["tenant"] for line in lines} - {"demo"}))
    path = system.folder / "events.jsonl"
    path.write_text("\n".join(lines) + "\n")
    done = system.ampel("feed", path, "--sent-at", AS_OF_MS, check=False)
    assert done.returncode in (0, 1), done.stderr


def stored_as_expected(system, case):
    """Every account's rating stands as the golden case says: nothing that was fed is still on its way."""
    expected = {(row["tenant"], row["seller"], row["marketplace"]): (row["score"], row["status"], row["deducted"])
                for row in golden_expected(case)}
    return {(row["tenant"], row["seller"], row["marketplace"]): (row["score"], row["status"], row["deducted"])
            for row in system.rows(SHOWN)} == expected


def colours(system):
    return {(row["tenant"], row["seller"], row["marketplace"]): row["status"] for row in system.rows(SHOWN)}


def changed(before, after):
    return sum(before[account] != after[account] for account in before)


def test_rules_set_while_running_move_every_account_and_hold_after_a_kill(system):
    system.start(*FLAGS)
    feed_golden(system, "mixed")
    wait_until(lambda: stored_as_expected(system, "mixed"))
    before = colours(system)
    path = rules_file(system, "strict-1", start=("start: 200", "start: 100"))
    said = system.ampel("rules", "set", path).stdout
    after = colours(system)
    assert changed(before, after) > 10
    assert f"rules strict-1 hold as number 1: {changed(before, after)} accounts changed colour" in said
    rows = system.rows(SHOWN)
    assert {row["rules_version"] for row in rows} == {"strict-1"}
    history = system.rows("select cause, rules_version, count(*) from ampel.rating_history where cause = 'rules' group by 1, 2")
    assert len(history) == 1 and history[0]["rules_version"] == "strict-1"
    told = system.sql("select count(*) from ampel.alert where kind = 'colour_changed' and cause ->> 'kind' = 'rules'")
    assert int(told) == changed(before, after)
    assert {row["rules_version"] for row in system.rows(
        "select distinct rules_version from ampel.rating_history where cause <> 'rules'")} == {"amazon-1"}
    # What was fed and set is read again from the log, or from the pages; both tell the same, whatever --rules says.
    stored = system.rows("select id from ampel.rating_history order by id")
    system.kill()
    system.start(*FLAGS, "--rules", TOP / "deploy/rules/amazon.yaml")
    system.stop()
    assert system.rows(SHOWN) == rows
    assert system.rows("select id from ampel.rating_history order by id") == stored
    # An account under them is what a program without a server computes under them.
    system.start(*FLAGS)
    scores = system.ampel("score", GOLDEN / "mixed.events.jsonl", "--as-of", AS_OF_MS, "--rules", path,
                          "--format", "jsonl", check=False).stdout.splitlines()
    scores = {(line["tenant"], line["seller"], line["marketplace"]): line["score"] for line in map(json.loads, scores)}
    assert {(row["tenant"], row["seller"], row["marketplace"]): row["score"] for row in rows} == scores


def test_rules_set_back_leave_everything_as_it_was(system):
    system.start(*FLAGS)
    feed_golden(system, "basics")
    wait_until(lambda: stored_as_expected(system, "basics"))
    before = system.rows(SHOWN)
    system.ampel("rules", "set", rules_file(system, "other", start=("start: 200", "start: 150")))
    assert system.rows(SHOWN) != before
    system.ampel("rules", "set", TOP / "deploy/rules/amazon.yaml")
    assert system.rows(SHOWN) == before
    shown = system.ampel("rules", "show")
    assert shown.stdout == (TOP / "deploy/rules/amazon.yaml").read_text()
    assert "number 2" in shown.stderr


def test_wrong_rules_are_refused_and_without_a_worker_it_is_said(system):
    path = system.folder / "wrong.yaml"
    path.write_text((TOP / "deploy/rules/amazon.yaml").read_text().replace("start: 200", "start: many"))
    done = system.ampel("rules", "set", path, check=False)
    assert done.returncode == 3 and "wrong.yaml:6: start: must be a whole number" in done.stderr
    assert system.ampel("rules", "show", check=False).returncode == 1
    done = system.ampel("rules", "set", "default", "--seconds", 0, check=False)
    assert done.returncode == 1 and "Does a worker run?" in done.stderr
    # The worker that starts later takes them.
    system.start(*FLAGS)
    wait_until(lambda: system.sql("select bool_and(rules_number = 1) from ampel.partition") == "t")


def test_commands_without_files_compute_under_the_rules_that_were_set(system):
    system.start(*FLAGS)
    feed_golden(system, "basics")
    wait_until(lambda: stored_as_expected(system, "basics"))
    path = rules_file(system, "strict-1", start=("start: 200", "start: 100"))
    system.ampel("rules", "set", path)
    system.stop()
    row = system.rows(SHOWN)[0]
    account = f"{row['tenant']}/{row['seller']}/{row['marketplace']}"
    shipped = TOP / "deploy/rules/amazon.yaml"
    for words in (("explain", account), ("forecast", account), ("fix", account), ("fix", "--portfolio")):
        done = system.ampel(*words, "--format", "jsonl", AMPEL_RULES=str(shipped))
        assert done.stderr == "", words
        if "--portfolio" not in words:
            line = json.loads(done.stdout.splitlines()[0])
            assert (line["rules_version"], line["score"]) == ("strict-1", row["score"]), words
    # --set stands on top of them; --rules instead of them, and that is said.
    line = json.loads(system.ampel("explain", account, "--set", "start=101", "--format", "jsonl").stdout)
    assert line["start"] == 101 and line["rules_version"] == "strict-1"
    done = system.ampel("explain", account, "--rules", shipped, "--format", "jsonl")
    assert json.loads(done.stdout)["rules_version"] == "amazon-1"
    assert "stored with rules strict-1, computed with amazon-1" in done.stderr and "--rules FILE" not in done.stderr

"""Files in, files out, without a worker: replay, pictures, the agency's own lists."""

import csv
import datetime
import io
import json
import os
import re
import subprocess
import time
import xml.etree.ElementTree

import pytest

from system import BIN, GOLDEN, wait_until

AS_OF = "2026-10-01T12:34:56.789Z"
DAY_MS = 86_400_000


@pytest.fixture
def ampel(tmp_path):
    def run(*words, status=0, stdin=None, **environment):
        done = subprocess.run([str(BIN / "ampel"), *map(str, words)], input=stdin, text=True, cwd=tmp_path,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                              env={**os.environ, "AMPEL_ENV": "/dev/null", "LC_ALL": "C", "TZ": "UTC", **environment})
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


# ---- violation lists

HEADER = ("ASIN,Product Title,Issue Type,At Risk Sales,Impact,Status,Date Opened,Date Resolved,Action Taken,"
          "Next Steps,Notes")
ROWS = [
    'B0LAMP0001,"Lamp, brass",Received Intellectual Property Complaints,"$1,234.56",High - Repeat violation,Submitted,'
    '2026-08-01,,"wrote to ""Lux""",wait,"first line\nsecond line"',
    'B0LAMP0001,"Lamp, brass",Received Intellectual Property Complaint,"1.234,56 €",High,Waiting on Client,08/15/2026,,,,',
    "B0LAMP0002,Shade,listing policy violations,,Low,Resolved,1.9.2026,3 Sep 2026,,,",
    'B0LAMP0003,Bulb,Restricted Product Policy Violations,-,No impact,Ignored,"Sep 5, 2026 2:30 PM",,,,',
    "B0LAMP0003,Bulb,Restricted Product Policy Violations,,,Acknowledged,5. September 2026,2026-09-05T18:00:00+02:00,,,",
]
ACCOUNT = ["--account", "nordlicht/A1SELLER/A1PA6795UKMFR9"]


def list_events(ampel, *words, text=None, status=0):
    done = ampel("import", "violations", "-", *ACCOUNT, *words, stdin=text or "\n".join([HEADER, *ROWS]), status=status)
    return lines(done.stdout), done.stderr


def test_a_violation_list_becomes_events(ampel):
    events, told = list_events(ampel)
    violations = [event for event in events if event["type"] == "violation"]
    assert [(event["policy"], event.get("severity"), event["at"], event.get("at_risk_sales"), event["asin"])
            for event in violations] == [
        ("received_ip_complaint", "high", "2026-08-01T00:00:00.000Z", "1234.56", "B0LAMP0001"),
        ("received_ip_complaint", "high", "2026-08-15T00:00:00.000Z", "1234.56", "B0LAMP0001"),
        ("listing_policy", "low", "2026-09-01T00:00:00.000Z", None, "B0LAMP0002"),
        ("restricted_product", "none", "2026-09-05T14:30:00.000Z", None, "B0LAMP0003"),
        ("restricted_product", None, "2026-09-05T00:00:00.000Z", None, "B0LAMP0003"),
    ]
    ids = [event["id"] for event in violations]
    assert len(set(ids)) == 5
    states = {event["id"]: (event["state"], event["at"]) for event in events if event["type"] == "violation_state"}
    assert states == {ids[0]: ("appealed", "2026-08-01T00:00:00.000Z"), ids[2]: ("approved", "2026-09-03T00:00:00.000Z"),
                      ids[4]: ("acknowledged", "2026-09-05T16:00:00.000Z")}
    assert "8 events, 0 rows broken" in told


def test_the_same_list_again_changes_nothing(ampel):
    first, _ = list_events(ampel)
    again, _ = list_events(ampel, text="\n".join([HEADER, *reversed(ROWS)]))
    key = lambda event: json.dumps(event, sort_keys=True)  # noqa: E731
    assert sorted(map(key, first)) == sorted(map(key, again))


def test_two_violations_of_one_product_type_and_day_stay_two(ampel):
    events, _ = list_events(ampel, text="\n".join([HEADER, ROWS[0].split("\n")[0].replace('"first line', ""),
                                                   ROWS[0].split("\n")[0].replace('"first line', "")]))
    ids = [event["id"] for event in events if event["type"] == "violation"]
    assert len(ids) == 2 and ids[1] == ids[0] + "-2"


@pytest.mark.parametrize("row, named", [
    ("B1,,Strange Thing,,Low,Working,2026-09-01", "2: column 3, Issue Type: 'Strange Thing' is no known policy"),
    ("B1,,Other,,Lowish,Working,2026-09-01", "2: column 5, Impact: 'Lowish' is no known impact"),
    ("B1,,Other,,Low,Lost,2026-09-01", "2: column 6, Status: 'Lost' is no known status"),
    ("B1,,Other,,Low,Working,03/04/2026", "2: column 7, Date Opened: '03/04/2026' may be two dates"),
    ("B1,,Other,,Low,Working,31.9.2026", "2: column 7, Date Opened: '31.9.2026' is no date"),
    ("B1,,Other,,Low,Working,", "2: column 7, Date Opened: is missing"),
    ("B1,,Other,,Low,Resolved,2026-09-01", "2: column 8, Date Resolved: is missing"),
    ("B1,,Other,,Low,Resolved,2026-09-02,2026-09-01", "Date Resolved: '2026-09-01' lies before Date Opened"),
    ("B1,,Other,1.2k,Low,Working,2026-09-01", "2: column 4, At Risk Sales: '1.2k' is no amount of money"),
    ("B 1,,Other,,Low,Working,2026-09-01", "2: column 1, ASIN: 'B 1' must be"),
    ("B1,,Other,,Low,Working,2026-09-01,,,,,,x", "2: the row has more cells than the header"),
    ('B1,"x', "2: column 2: the quote is never closed"),
])
def test_a_broken_row_is_named_and_the_others_go_on(ampel, row, named):
    good = "B2,,Other,,Low,Working,2026-09-01"
    events, told = list_events(ampel, text="\n".join([HEADER, row] + ([good] if '"' not in row else [])), status=1)
    assert named in told
    assert [event["asin"] for event in events] == ([] if '"' in row else ["B2"])


def test_other_headers_and_words_are_mapped_and_what_is_not_read_is_said(ampel, tmp_path):
    (tmp_path / "ours.txt").write_text("# our sheet\nArt = Issue Type\nseit = Date Opened\nStand = Status\n"
                                       "Issue Type: Markenrecht = suspected_ip\nStatus: Erledigt = approved\n")
    text = "ASIN;Art;seit;Stand;Kunde\nB1;Markenrecht;1.9.2026;Erledigt;Lux\n"
    events, told = list_events(ampel, "--mapping", "ours.txt", "--at", "2026-09-20T00:00:00Z", text=text)
    assert [(event["type"], event["at"]) for event in events] == [
        ("violation", "2026-09-01T00:00:00.000Z"), ("violation_state", "2026-09-20T00:00:00.000Z")]
    assert "nothing is read from the column 'Kunde'" in told
    (tmp_path / "wrong.txt").write_text("\nArt = Issue Kind\n")
    done = ampel("import", "violations", "-", *ACCOUNT, "--mapping", "wrong.txt", stdin=text, status=2)
    assert "wrong.txt:2: 'Issue Kind' is no column" in done.stderr


@pytest.mark.parametrize("kind", ["report", "notification", "violations"])
@pytest.mark.parametrize("text", ["", "[]", "\n\n"])
def test_an_empty_file_is_said_to_be_empty(ampel, kind, text):
    if (kind, text) == ("violations", "[]"):
        text = HEADER
    done = ampel("import", kind, "-", *ACCOUNT, stdin=text, status=1)
    assert "there is no" in done.stderr or "the list is empty" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("name", ["edges", "mixed", "heavy"])
def test_an_exported_list_brings_every_violation_back(ampel, tmp_path, name):
    """Violations alone: the same ids, ranks and points; a state keeps its time where it gives points back."""
    lone = [line for line in (GOLDEN / f"{name}.events.jsonl").read_text().splitlines()
            if json.loads(line)["type"] in ("violation", "violation_state")]
    (tmp_path / "lone.jsonl").write_text("\n".join(lone) + "\n")
    ampel("export", "violations", "lone.jsonl", "--as-of", AS_OF, "-o", "list.csv")
    events = ampel("import", "violations", "list.csv").stdout
    score = ["--as-of", AS_OF, "--format", "jsonl", "--set", "repeat.anchor=rerank"]

    def known(text):
        return {account_of(line): {v["id"]: v["points"] for v in line["violations"]} for line in lines(text)}
    before = known(ampel("score", "lone.jsonl", *score).stdout)
    after = known(ampel("score", "-", *score, stdin=events).stdout)
    assert sum(map(len, before.values())) > 0
    assert after == {account: before[account] for account in after}
    assert all(not violations for account, violations in before.items() if account not in after)
    again = ampel("score", "lone.jsonl", "-", *score, stdin=events).stdout
    assert again == ampel("score", "lone.jsonl", *score).stdout, "a list of what is known adds nothing"


def test_the_database_gives_the_list_that_files_give(system, ampel, tmp_path):
    system.start()
    (tmp_path / "events.jsonl").write_text((GOLDEN / "basics.events.jsonl").read_text())
    system.ampel("feed", tmp_path / "events.jsonl", "--producer", "t")
    expected = ampel("export", "violations", GOLDEN / "basics.events.jsonl", "--as-of", AS_OF).stdout

    def stored():
        done = system.ampel("export", "violations", "--tenant", "demo", check=False)
        return done.stdout if len(done.stdout.splitlines()) == len(expected.splitlines()) else None
    text = wait_until(stored, what="every violation in the database")

    def known(text):
        return sorted((row["Account"], row["Violation ID"], row["Issue Type"], row["Status"], row["Date Opened"])
                      for row in csv.DictReader(io.StringIO(text)))
    assert known(text) == known(expected) and len(known(text)) > 20


def listing_issue(**payload):
    return json.dumps({"NotificationType": "LISTINGS_ITEM_ISSUES_CHANGE", "EventTime": "2026-09-05T18:59:30.194Z",
                       "NotificationMetadata": {"NotificationId": payload.pop("id", "n1")},
                       "Payload": {"SellerId": "A1SELLER", "MarketplaceId": "A1PA6795UKMFR9", **payload}})


def test_a_listings_issue_becomes_a_hint_once(ampel):
    told = {"Asin": "B0LAMP0001", "Sku": "LAMP 1", "Severities": ["ERROR"],
            "EnforcementActions": ["SEARCH_SUPPRESSED", "LISTING_SUPPRESSED"]}
    text = "\n".join([listing_issue(**told), listing_issue(**told),
                      listing_issue(id="n2", Asin="B0LAMP0002", Sku="L2", Severities=["WARNING"]),
                      listing_issue(id="n3", Asin="B0LAMP0002", Sku="L2", Severities=[], EnforcementActions=[])])
    done = ampel("import", "notification", "-", "--account", "nordlicht/", stdin=text)
    hints = lines(done.stdout)
    assert [(hint["type"], hint["asin"], hint.get("sku"), hint.get("actions")) for hint in hints] == [
        ("hint", "B0LAMP0001", None, ["SEARCH_SUPPRESSED", "LISTING_SUPPRESSED"]),
        ("hint", "B0LAMP0002", "L2", None)]
    assert hints[0]["at"] == "2026-09-05T18:59:30.194Z"
    assert "2 events, 1 duplicates, 1 documents of no interest, 0 broken" in done.stderr


@pytest.mark.parametrize("payload, named", [
    ({"Sku": "with space"}, "Payload.Sku"), ({"Asin": "B1", "EnforcementActions": "X"}, "Payload.EnforcementActions"),
    ({"Asin": "B1", "EnforcementActions": ["a,b"]}, "Payload.EnforcementActions"), ({"Asin": "B 1"}, "Payload.Asin")])
def test_a_broken_listings_issue_is_named(ampel, payload, named):
    done = ampel("import", "notification", "-", "--account", "nordlicht/", stdin=listing_issue(**payload), status=1)
    assert named in done.stderr and done.stdout == ""


# ---- pictures

def picture(text):
    root = xml.etree.ElementTree.fromstring(text)
    return ["".join(element.itertext()).strip() for element in root.iter() if element.tag.endswith(("text", "title"))], text


def test_a_picture_tells_score_violations_and_forecast(ampel):
    events = "\n".join([violation("v<1>&", "2026-09-01T10:00:00Z", policy="received_ip_complaint", severity="high"),
                        violation("v2", "2026-06-01T10:00:00Z")])
    words, text = picture(ampel("plot", "t/s/m", "-", "--as-of", "2026-10-01T12:00:00Z", stdin=events).stdout)
    assert words[0] == "t/s/m"
    assert "190 yellow, risk at_risk, as of 2026-10-01 12:00Z, rules amazon-1" in words
    assert "v<1>&: received_ip_complaint, high, open, 2026-09-01" in words
    assert {"received_ip_complaint", "listing_policy", "2026-07", "now", "if nothing new happens"} <= set(words)
    dashed = re.search(r'stroke-dasharray="5 4" d="(M[^"]*)"', text).group(1)
    assert dashed.count("H") == 3, "two steps back up, and on to the edge"
    assert "http" not in text.replace("http://www.w3.org/2000/svg", ""), "nothing from elsewhere"


def test_a_portfolio_is_a_picture_for_each_account(ampel, tmp_path):
    done = ampel("plot", "--portfolio", "pictures", GOLDEN / "mixed.events.jsonl", "--as-of", AS_OF)
    scores = lines(ampel("score", GOLDEN / "mixed.events.jsonl", "--as-of", AS_OF, "--format", "jsonl").stdout)
    assert f"{len(scores)} pictures in pictures" in done.stderr
    for line in scores:
        words, _ = picture((tmp_path / "pictures" / ("_".join(account_of(line)) + ".svg")).read_text())
        assert words[0] == "/".join(account_of(line))
        assert any(text.startswith(f"{line['score']} {line['status']}, risk {line['risk']}") for text in words)


def test_a_picture_of_nobody_is_said(ampel):
    done = ampel("plot", "t/s/x", "-", stdin=violation("v", "2026-09-01T10:00:00Z"), status=1)
    assert "there is no account t/s/x" in done.stderr and done.stdout == ""


def test_the_database_draws_what_files_draw(system, ampel, tmp_path):
    at = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) - datetime.timedelta(days=3)
    events = "\n".join(line.replace('"t"', '"demo"') for line in
                       [violation("v1", at.isoformat(), severity="high"), violation("v2", at.isoformat())])
    (tmp_path / "events.jsonl").write_text(events + "\n")
    system.start()
    system.ampel("feed", tmp_path / "events.jsonl", "--producer", "t")
    wait_until(lambda: len(system.rows("select id from ampel.violation")) == 2, what="two violations")
    words, text = picture(system.ampel("plot", "demo/s/m").stdout)
    assert any(word.startswith("188 yellow") for word in words)
    assert text.count("<circle cy") == 2 and 'stroke-width="1.8" d="M' in text


# ---- words for people

def test_german_words_are_for_people_alone(ampel):
    events = violation("v1", "2026-09-01T10:00:00Z", policy="received_ip_complaint", severity="high")
    asked = ["-", "--as-of", "2026-10-01T12:00:00Z", "--lang", "de"]
    for command, wanted in [(["score"], ["KONTO", "gelb", "gefährdet"]),
                            (["explain", "t/s/m"], ["Beschwerde geistiges Eigentum", "0 Bestellungen in 180 Tagen"]),
                            (["fix", "t/s/m"], ["Risiko gefährdet", "zurück zu Grün", "RICHTLINIE"]),
                            (["forecast", "t/s/m"], ["wird grün", "verfällt"]),
                            (["plot", "t/s/m"], ["192 gelb", "Risiko gefährdet", "jetzt", "Beschwerde geistiges Eigentum"])]:
        shown = ampel(*command, *asked, stdin=events).stdout
        for word in wanted:
            assert word in shown, f"{word} is not in\n{shown}"
        if command[0] != "plot":
            german = ampel(*command, *asked, "--format", "jsonl", stdin=events).stdout
            assert german == ampel(*command, *asked[:-2], "--format", "jsonl", stdin=events).stdout
    replayed = ampel("replay", *asked, "--alerts", stdin=events).stdout
    assert "Farbe gewechselt" in replayed and "wegen Verstoß v1 (Beschwerde geistiges Eigentum) vom" in replayed


def test_the_language_comes_from_the_locale_and_is_one_of_two(ampel):
    events = violation("v1", "2026-09-01T10:00:00Z")
    asked = ["score", "-", "--as-of", "2026-10-01T12:00:00Z"]
    assert "KONTO" in ampel(*asked, stdin=events, LC_ALL="de_DE.UTF-8").stdout
    assert "ACCOUNT" in ampel(*asked, "--lang", "en", stdin=events, LC_ALL="de_DE.UTF-8").stdout
    assert "--lang is de or en" in ampel(*asked, "--lang", "fr", stdin=events, status=2).stderr


def test_people_read_times_of_their_own_zone_and_programs_do_not(ampel):
    events = violation("v1", "2026-09-01T23:30:00Z")
    zone = {"TZ": "CET-1CEST,M3.5.0,M10.5.0/3"}
    asked = ["replay", "-", "--until", "2026-10-01T12:00:00Z"]
    assert "2026-09-02 01:30:00 CEST" in ampel(*asked, stdin=events, **zone).stdout
    assert "2026-09-01T23:30:00.000Z" in ampel(*asked, "--format", "jsonl", stdin=events, **zone).stdout

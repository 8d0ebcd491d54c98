"""A takeover case walked through from beginning to end: opened, violations fall into it, steps in a wrong order are refused
with the reason, contained, violations cleared, ratings come back."""

import hashlib
import html.parser
import json
import re
import time

import pytest

from system import TOP, wait_until

NOW = int(time.time() * 1000)
HOUR, DAY = 3600_000, 86_400_000
ACCOUNT = "demo/HACKED/DE"


def iso(ms):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ms // 1000)) + f".{ms % 1000:03}Z"


def event(seller="HACKED", marketplace="DE", **fields):
    return {"tenant": "demo", "seller": seller, "marketplace": marketplace, **fields}


def violation(name, at, **fields):
    return event(type="violation", id=name, at=at, policy=fields.pop("policy", "suspected_ip"), severity="high", **fields)


@pytest.fixture
def shop(system):
    """A worker with a seller of two stores and one who is not hacked."""
    system.start()
    shop = Shop(system)
    shop.feed(event(type="orders_day", at=NOW - 20 * DAY, total=6000), event(marketplace="FR", type="orders_day", at=NOW - 20 * DAY, total=100),
              event(seller="OTHER", type="orders_day", at=NOW - 20 * DAY, total=100),
              violation("own", NOW - 30 * DAY, policy="product_condition"))
    wait_until(lambda: len(system.rows("select * from ampel.rating")) == 3)
    return shop


class Shop:
    def __init__(self, system):
        self.system = system
        self.files = 0

    def feed(self, *events):
        self.files += 1
        path = self.system.folder / f"events{self.files}.jsonl"
        path.write_text("".join(json.dumps(one) + "\n" for one in events))
        self.system.ampel("feed", path)

    def incident(self, *words, status=0):
        done = self.system.ampel("incident", *words, check=False, AMPEL_BY="Ada")
        assert done.returncode == status, (words, done.returncode, done.stdout, done.stderr)
        return done.stdout + done.stderr

    def lines(self, *words):
        return [json.loads(line) for line in self.incident(*words, "--format", "jsonl").splitlines()]

    def scores(self, marketplace="DE"):
        row = self.system.rows("select score, score_without_incidents as without from ampel.rating where seller = 'HACKED' "
                               f"and marketplace = '{marketplace}'")[0]
        return row["score"], row["without"]

    def steps(self, case):
        return {line["step"]: line["state"] for line in self.lines("show", case) if line["row"] == "step"}


def test_a_case_is_walked_through_to_its_end(shop, tmp_path):
    system = shop.system
    assert shop.scores() == (312, None)
    # The stores of one seller at once, and the same said twice.
    said = shop.incident("open", "demo/HACKED/*", "--since", iso(NOW - 2 * DAY))
    assert "2 stores" in said and "second account" in said
    case = shop.lines("list")[0]["id"]
    assert shop.incident("open", "demo/HACKED/*", "--since", iso(NOW - 2 * DAY)).count("2 stores") == 1
    assert [line["id"] for line in shop.lines("list")] == [case]
    assert system.sql("select count(*) from ampel.case_event_row where acked_at is not null") == "1"

    # Violations fall into it: by their time, by their tag; one of before, and one that is taken out, do not.
    shop.feed(violation("a", NOW - DAY, asin="B000000001"), violation("b", NOW - DAY + 1, sku="FOREIGN-1"),
              violation("c", NOW - 10 * DAY, incident=case), violation("d", NOW - HOUR),
              event(type="orders_cancelled", at=NOW - DAY, count=14))
    wait_until(lambda: shop.scores() == (312 - 8 - 16 - 32 - 64, 312))
    said = shop.incident("tag", ACCOUNT, "d", "--none")
    assert "1 violations taken out" in said
    wait_until(lambda: shop.scores() == (192, 304))
    assert "0 violations" in shop.incident("tag", ACCOUNT, "d", "--none")
    row = system.rows("select * from ampel.incident where marketplace = 'DE'")[0]
    assert (row["id"], row["phase"], row["violations"], row["points"], row["cancelled"]) == (case, "opened", 3, 56, 14)
    assert row["points_caused"] == 112
    assert row["dispute_first"][0] in "abc"

    # Steps in a wrong order are refused with the reason, and nothing is written.
    history = system.sql("select count(*) from ampel.case_log")
    said = shop.incident("step", case, 5, status=1)
    assert "too early" in said and "4" in said and "mail passwords" in said.lower()
    assert "nobody can have done it" in shop.incident("step", case, 17, status=1)
    assert "always needed" in shop.incident("step", case, 1, "--not-needed", "--note", "no mail", status=1)
    assert "there is no step 22" in shop.incident("step", case, 22, status=1)
    assert system.sql("select count(*) from ampel.case_log") == history
    for step in (1, 3, 4, 5):
        shop.incident("step", case, step, "--by", "Ben")
    assert "settled already, by Ben" in shop.incident("step", case, 4, status=1)
    assert "reopen them first" in shop.incident("step", case, 4, "--undo", status=1)
    shop.incident("step", case, 12, "--not-needed", "--note", "no stored stock")
    shop.incident("step", case, 9, "--at", iso(NOW - HOUR))
    shop.incident("step", case, 10)
    shop.incident("step", case, 11, "--owner", "Cleo")

    # Evidence by its hash, clocks with their certainty.
    letter = tmp_path / "letter.pdf"
    letter.write_bytes(b"dear marketplace" * 1000)
    said = shop.incident("evidence", case, 1, letter)
    assert hashlib.sha256(letter.read_bytes()).hexdigest() in said
    assert "No such file" in shop.incident("evidence", case, tmp_path / "missing", status=1)
    shop.incident("clock", case, "deactivated", "--at", iso(NOW - 29 * DAY))
    assert "starts no clock" in shop.incident("clock", case, "nonsense", status=1)
    clocks = {line["clock"]: line for line in shop.lines("show", case) if line["row"] == "clock"}
    assert clocks["removal"]["settled_at"], "step 12 settles it"
    assert clocks["funds"]["certainty"].startswith("official") and clocks["lock"]["certainty"] == "anecdotal"
    told = shop.lines("remind", "--mark", "--within", 24 * 40)
    assert {"lock", "funds", "appeal"} <= {line["clock"] for line in told}
    assert shop.lines("remind", "--mark", "--within", 24 * 40) == []

    check_dossier(shop, case, tmp_path)

    # Contained: what comes later does not belong. Cleared: the ratings come back.
    assert "not contained" in shop.incident("close", case, status=1)
    shop.incident("contain", ACCOUNT)
    shop.incident("contain", ACCOUNT)
    shop.feed(violation("after", int(time.time() * 1000), policy="product_safety"))
    wait_until(lambda: shop.scores() == (184, 296))
    shop.feed(*(event(type="violation_state", id=name, at=int(time.time() * 1000), state="approved") for name in "abc"))
    # d stays, with the repeats that it had when it was recorded.
    wait_until(lambda: shop.scores()[0] > 184)
    shop.incident("close", case)
    row = wait_until(lambda: [row for row in system.rows("select * from ampel.incident where marketplace = 'DE'")
                              if row["phase"] == "closed"])[0]
    assert row["watched_until"]
    assert shop.lines("list") == []
    assert [line["state"] for line in shop.lines("list", "--all")] == ["closed"]
    assert "is closed" in shop.incident("open", ACCOUNT, "--since", iso(NOW - 2 * DAY), status=1)
    kinds = [line["kind"] for line in shop.lines("show", case) if line["row"] == "history"]
    assert kinds[0] == "opened" and kinds[-1] == "closed"
    # Each phase was told to whoever watches, for each store.
    told = [(row["phase"], row["marketplace"]) for row in alerts(system, "incident_changed")]
    assert sorted(told) == [(phase, store) for phase in ("closed", "contained", "opened") for store in ("DE", "FR")]


def alerts(system, kind):
    return system.rows("""select id, marketplace, cause ->> 'phase' as phase, cause ->> 'clock' as clock, cause ->> 'id' as of,
                                 (extract(epoch from deadline) * 1000)::bigint as deadline, (extract(epoch from at) * 1000)::bigint as at
                          from ampel.alert where kind = '""" + kind + "' order by number")


def test_the_worker_warns_before_a_clock_of_a_case_runs_out_once_however_often_it_is_killed(shop):
    system = shop.system
    shop.incident("open", ACCOUNT, "--since", iso(NOW - 3 * DAY), "--id", "x")
    for step in (1, 3, 4, 5, 9, 10, 11):
        shop.incident("step", "x", step)
    shop.incident("clock", "x", "review", "--at", iso(NOW - 29 * DAY))
    wait_until(lambda: len(alerts(system, "incident_clock")) == 1)
    near, = alerts(system, "incident_clock")
    assert (near["clock"], near["of"], near["deadline"]) == ("review", "x", NOW + DAY), "told late, so at once"
    shop.incident("clock", "x", "review", "--settled")
    system.stop()
    # The letter's two weeks, and the lock, two days from now.
    for hours in (44, 44, 44):
        system.start("--clock-at", NOW + hours * HOUR, "--clock-speed", 0)
        system.kill()
    system.start("--clock-at", NOW + 45 * HOUR, "--clock-speed", 0)
    wait_until(lambda: len(alerts(system, "incident_clock")) == 3)
    system.kill()
    system.start("--clock-at", NOW + 12 * DAY, "--clock-speed", 0)
    wait_until(lambda: len(alerts(system, "incident_clock")) == 4)
    system.stop()
    told = alerts(system, "incident_clock")
    assert [(row["clock"], row["deadline"] - row["at"]) for row in told[1:]] == [("lock", 24 * HOUR), ("lock", 4 * HOUR), ("letter", 72 * HOUR)]
    assert len({row["id"] for row in told}) == 4
    assert "0 problems" in system.ampel("verify", "--exact").stdout


class Outline(html.parser.HTMLParser):
    """What a browser would see: tags, their attributes, and the text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.words = [], [], []
        self.feed(text)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [(tag, *one) for one in attributes]

    def handle_data(self, data):
        self.words.append(data)


def check_dossier(shop, case, folder):
    said = {"de": ["Übernahme eines Händlerkontos", "KEIN zweites Konto", "Ohne den Fall", "Zuerst ALLE Mail-Passwörter", "Verursachte Verstöße",
                   "nahm er 112 Punkte", "Cleo"],
            "en": ["Takeover of a seller account", "Do NOT open a second account", "Without the case", "Change ALL mail passwords",
                   "it took 112 points", "Cleo"]}
    for language, words in said.items():
        path = folder / f"dossier.{language}.html"
        shop.incident("dossier", case, "--lang", language, "-o", path)
        outline = Outline(path.read_text())
        for word in words + [case, "B000000001", "letter.pdf", "14"]:
            assert word in outline.text, (language, word)
        assert outline.tags.count("svg") == 2
        # Nothing from elsewhere, nothing that runs.
        assert not {"script", "img", "link", "iframe", "object"} & set(outline.tags)
        assert not [one for one in outline.attributes if one[1] in ("src", "href") or one[1].startswith("on")]
        letter = shop.incident("letter", case, "--lang", language)
        assert "B000000001" in letter and case in letter
        assert ("Sehr geehrte" if language == "de" else "Dear Sir or Madam") in letter


def test_engine_and_database_have_the_same_clocks(system):
    header = (TOP / "engine" / "case_clocks.h").read_text()
    hours = {name.lower(): int(value) for name, value in re.findall(r"#define AMPEL_CASE_(\w+)_HOURS\s+(\d+)", header)}
    rows = {row["clock"]: row["hours"] for row in system.rows("select clock, hours from ampel.recovery_clock")}
    assert hours and hours == {name: rows[name] for name in hours}
    names = re.search(r"case_clocks\[\] = \{(.*?)\};", (TOP / "engine" / "registry.c").read_text(), re.S).group(1)
    assert set(re.findall(r'"(\w+)"', names)) == set(rows)


def test_hostile_names_stay_text_in_the_dossier(shop, tmp_path):
    hostile = "<script>alert(1)</script>"
    shop.feed(event(seller=hostile.replace("/", "|"), type="order", at=NOW - DAY), event(seller=hostile.replace("/", "|"), type="violation", id="\"><b>", at=NOW - HOUR,
                    policy="suspected_ip", sku=hostile, asin="'&amp;"))
    account = f"demo/{hostile.replace('/', '|')}/DE"
    wait_until(lambda: len(shop.system.rows("select * from ampel.rating")) == 4)
    shop.incident("open", account, "--since", iso(NOW - DAY), "--id", "<i>x")
    shop.incident("note", "<i>x", f"{hostile} & \"quotes\" 'too'", "--by", "<b>Eve</b>")
    evidence = tmp_path / "<img onerror=alert(1)>.pdf"
    evidence.write_text("x")
    shop.incident("evidence", "<i>x", evidence)
    wait_until(lambda: shop.system.rows("select * from ampel.incident"))
    path = tmp_path / "dossier.html"
    shop.incident("dossier", "<i>x", "-o", path)
    outline = Outline(path.read_text())
    assert not {"script", "img", "i"} & set(outline.tags)
    assert outline.tags.count("b") == 1, "the points that the case took"
    for word in (hostile, "\"><b>", "'&amp;", "<b>Eve</b>", "<img onerror=alert(1)>.pdf", "\"quotes\" 'too'"):
        assert word in outline.text, word
    assert not [one for one in outline.attributes if one[1].startswith("on")]


def suspicions(system):
    return system.rows("select kind, at, seller from ampel.alert where kind in ('takeover_suspected', 'takeover_cleared') order by number")


def test_signals_make_a_suspicion_at_once_and_after_the_case_weaker_ones_do(shop):
    system = shop.system
    at = int(time.time() * 1000)
    shop.feed(event(type="signal", kind="email_phone_change", at=at - 20 * 60_000))
    shop.feed(event(type="signal", kind="new_user_or_app", at=at - 10 * 60_000), event(seller="OTHER", type="signal", kind="email_phone_change", at=at))
    time.sleep(1)
    assert suspicions(system) == [], "they weigh too little"
    shop.feed(event(type="signal", kind="deposit_change", at=at - 60_000))
    told = wait_until(lambda: suspicions(system))
    assert [(row["kind"], row["seller"]) for row in told] == [("takeover_suspected", "HACKED")]
    assert 0 <= time.time() - at / 1000 < 5 * 60, "within minutes"
    # The case follows, is worked off and closed: the other store is watched more closely from then on.
    shop.incident("open", "demo/HACKED/*", "--since", iso(at - 30 * 60_000), "--id", "again")
    shop.incident("contain", "again")
    shop.incident("close", "again")
    later = int(time.time() * 1000)
    shop.feed(event(marketplace="FR", type="signal", kind="email_phone_change", at=later - 2),
              event(marketplace="FR", type="signal", kind="new_user_or_app", at=later - 1),
              event(seller="OTHER", type="signal", kind="new_user_or_app", at=later - 1))
    wait_until(lambda: len(suspicions(system)) == 2)
    assert {row["seller"] for row in suspicions(system)} == {"HACKED"}
    # All that is stored is what its pages make.
    system.stop()
    assert "problem" not in system.ampel("verify", "--exact").stdout.replace("0 problems", "").replace("no problems", "")


def test_what_is_written_down_is_never_altered_and_seen_by_its_tenant_alone(shop):
    system = shop.system
    shop.incident("open", ACCOUNT, "--since", iso(NOW - DAY), "--id", "x1")
    shop.incident("note", "x1", "first word")
    for statement in ("update ampel.case_log_row set note = 'other'", "delete from ampel.case_log_row", "truncate ampel.case_log_row"):
        with pytest.raises(Exception):
            system.sql(statement)
    assert system.sql("select note from ampel.case_log where kind = 'note'") == "first word"
    system.tenants("spy")
    for view in ("incident_case", "case_step", "case_log", "case_clock", "incident"):
        counts = system.sql(f"select count(*) from ampel.{view}")
        assert int(counts) > 0, view
        assert system.sql(f"set role ampel_tenant_spy; select count(*) from ampel.{view}").splitlines()[-1] == "0", view
        assert system.sql(f"set role ampel_tenant_demo; select count(*) from ampel.{view}").splitlines()[-1] == counts, view


def test_bad_words_are_named(shop):
    for words, said, status in [
        (("open", ACCOUNT), "give --since", 2),
        (("open", "--since", "now"), "no ACCOUNT", 2),
        (("open", "demo/HACKED", "--since", "now"), "tenant/seller/marketplace", 2),
        (("open", "demo/NOBODY/DE", "--since", "now"), "there is no account demo/NOBODY/DE", 1),
        (("open", ACCOUNT, "--since", iso(NOW + DAY)), "future", 2),
        (("open", ACCOUNT, "--since", "now", "--id", "-"), "--id is", 2),
        (("open", ACCOUNT, "demo2/HACKED/DE", "--since", "now"), "one tenant", 2),
        (("show", "nothing"), "there is no case nothing", 1),
        (("show", ACCOUNT), "has no case", 1),
        (("step", "nothing", "x"), "a STEP is a number", 2),
        (("frobnicate",), "there is no verb", 2),
        (("note", "nothing", "bad\x07bell"), "control characters", 2),
    ]:
        assert said in shop.incident(*words, status=status), words
    shop.incident("open", ACCOUNT, "--since", iso(NOW - DAY), "--id", "one")
    assert "is in case one already" in shop.incident("open", ACCOUNT, "--since", iso(NOW - 2 * DAY), status=1)
    assert "has no violation" in shop.incident("tag", ACCOUNT, "nothing", "--none", status=1)


def test_a_worker_that_is_away_learns_of_the_case_later_and_once(shop):
    system = shop.system
    system.stop()
    said = shop.incident("open", ACCOUNT, "--since", iso(NOW - DAY), "--patience", 1, status=3)
    assert "does not know yet" in said
    assert shop.lines("list")[0]["unsent"]
    system.start()
    shop.incident("open", ACCOUNT, "--since", iso(NOW - DAY))
    assert not shop.lines("list")[0]["unsent"]
    wait_until(lambda: system.rows("select * from ampel.incident"))
    assert system.sql("select count(*) from ampel.case_event_row") == "1"

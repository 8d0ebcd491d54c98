"""What people see: every table on a terminal of 80 columns and in a pipe, in both languages."""

import fcntl
import json
import os
import re
import struct
import subprocess
import sys
import termios

import pytest

from system import BIN, TOP, wait_until

UNTIL = "2026-10-01T12:00:00Z"
COLUMNS = 80
ZONE = {"TZ": "CET-1CEST,M3.5.0,M10.5.0/3"}
LANGUAGES = ("en", "de")
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def on_terminal(words, environment):
    """What a terminal of 80 columns shows as text, one line a row; the progress that overwrites itself is not part of it."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    process = subprocess.Popen([str(BIN / "ampel"), *map(str, words)], stdout=slave, stderr=subprocess.PIPE,
                               stdin=subprocess.DEVNULL, env=environment)
    os.close(slave)
    shown = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(master)
    errors = process.stderr.read().decode()
    assert process.wait(60) in (0, 1), errors
    return shown.decode().replace("\r\n", "\n"), errors


def in_pipe(words, environment):
    done = subprocess.run([str(BIN / "ampel"), *map(str, words)], env=environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def column(text, number=0):
    """The cells of one column, of the rows that name an account or id in it; cells stand two spaces apart."""
    rows = [re.split(r" {2,}", line.rstrip()) for line in text.splitlines()]
    return [row[number] for row in rows if len(row) > 2 and re.search(r"[/~…]|\d-", row[number])]


def event(seller, kind, at, **fields):
    return json.dumps({"tenant": "an-agency-with-a-long-name", "seller": seller, "marketplace": "A1PA6795UKMFR9", "type": kind,
                       "at": at, **fields})


@pytest.fixture(scope="module")
def portfolio(tmp_path_factory):
    """Made-up accounts, and some with reports, metrics, profiles, long names that differ in the middle alone, and every state."""
    path = tmp_path_factory.mktemp("tables") / "events.jsonl"
    made = subprocess.run([sys.executable, str(TOP / "tests/tools/portfolio.py"), "--accounts", "60", "--days", "200",
                           "--until", UNTIL, "--seed", "3", "--tenants", "nordlicht,suedwind"],
                          check=True, stdout=subprocess.PIPE, text=True).stdout
    lines = []
    states = ("open", "appealed", "denied", "listing_deleted", "acknowledged", "edited", "retracted", "approved")
    for i in range(8):
        seller = f"THESELLERWITHTHELONGESTNAME{i}OFTHEMALLWHICHISCUTINTHEMIDDLE"
        lines += [event(seller, "violation", "2026-09-20T12:00:00Z", id=f"VIOLATION-{n:030}-{states[n]}",
                        policy=("received_ip_complaint", "food_and_product_safety")[n % 2],
                        severity=("low", "critical", "high")[(i + n) % 3], at_risk_sales=123456.78) for n in range(8)]
        lines += [event(seller, "violation_state", "2026-09-21T12:00:00Z", id=f"VIOLATION-{n:030}-{states[n]}", state=states[n])
                  for n in range(1, 8)]
        lines += [event(seller, "profile", "2026-04-01T00:00:00Z", professional=True, emergency_phone=i % 2 == 0),
                  event(seller, "observed", "2026-09-22T06:00:00Z", score=200 + i, counts={"listing_policy": 3 + i}),
                  event(seller, "observed", "2026-09-23T06:00:00Z", score=100 + i, counts={"listing_policy": 4 + i}),
                  event(seller, "metric", "2026-09-23T06:00:00Z", name="a_delivery_metric_with_quite_a_long_name",
                        value_ppm=12345, target_ppm=40000),
                  event(seller, "metric", "2026-09-23T06:00:00Z", name="no_data_of_this")]
    path.write_text(made + "\n".join(lines) + "\n")
    return path


LONG = "an-agency-with-a-long-name/THESELLERWITHTHELONGESTNAME1OFTHEMALLWHICHISCUTINTHEMIDDLE/A1PA6795UKMFR9"


def busiest(portfolio, environment):
    rows = [json.loads(line) for line in
            in_pipe(["score", portfolio, "--as-of", UNTIL, "--no-outlook", "--format", "jsonl"], environment).splitlines()]
    row = max((row for row in rows if row["tenant"] == "nordlicht"), key=lambda row: len(row["violations"]))
    return f"{row['tenant']}/{row['seller']}/{row['marketplace']}"


def check(words, language, environment, longest=0):
    """The lines that hold more than one name of the reader's own are as long as it is: longest."""
    environment = dict(environment, **ZONE)
    shown, _ = on_terminal([*words, "--lang", language], environment)
    plain = in_pipe([*words, "--lang", language], environment)
    assert plain.strip() and "\x1b" not in plain and "…" not in plain
    text = ESCAPES.sub("", shown)
    for line in text.splitlines():
        assert len(line) <= max(COLUMNS, longest), f"{words} {language}: {len(line)} columns\n{line}"
    return text, plain


def check_names(text, plain, number=0):
    """Names that were different are different still, row by row; a table of its own for each paragraph."""
    tables = [(column(left, number), column(right, number)) for left, right in zip(text.split("\n\n"), plain.split("\n\n"))]
    assert any(cut for cut, _ in tables)
    for cut, whole in tables:
        assert len(cut) == len(whole)
        assert len(set(cut)) == len(set(whole)) == len(set(zip(cut, whole)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_tables_of_files_fit_a_terminal_and_are_whole_in_a_pipe(portfolio, language):
    environment = dict(os.environ, AMPEL_ENV="/dev/null")
    at = ("--as-of", UNTIL)
    account = busiest(portfolio, environment)
    for words, names in [(("score", portfolio, *at), 0),
                         (("fix", "--portfolio", portfolio, "--limit", 0, *at), 0),
                         (("rules", "compare", "default", "default", portfolio, "--set", "repeat.ladder=off", "--all", "--limit", 0,
                           *at), 0),
                         (("drift", portfolio, *at), 0),
                         (("explain", account, portfolio, *at), None),
                         (("fix", account, portfolio, *at), None),
                         (("forecast", account, portfolio, "--limit", 0, *at), None),
                         (("forecast", account, portfolio, "--limit", 2, "--keep-orders", *at), None),
                         (("replay", portfolio, "--alerts", "--until", UNTIL), None)]:
        text, plain = check(words, language, environment, len(LONG) - len("an-agency-with-a-long-name/") + 4)
        if words[0] != "replay":
            assert max(map(len, text.splitlines())) <= COLUMNS
        if names is not None:
            check_names(text, plain, names)
    for command in ("explain", "fix", "forecast"):
        text, plain = check((command, LONG, portfolio, *at), language, environment, len(LONG))
        assert text.splitlines()[0] == LONG
        if command != "forecast":
                check_names(text, plain)


@pytest.mark.parametrize("language", LANGUAGES)
def test_fitted_rules_fit_a_terminal(portfolio, tmp_path, language):
    few = tmp_path / "few.jsonl"
    few.write_text("".join(line + "\n" for line in portfolio.read_text().splitlines() if "an-agency" in line))
    text, _ = check(("drift", few, "--fit", "--as-of", UNTIL), language, dict(os.environ, AMPEL_ENV="/dev/null"))
    assert ("die jetzigen Regeln" if language == "de" else "the present rules") in text


def test_tables_of_the_database_fit_a_terminal(system, portfolio):
    names = ("nordlicht", "suedwind", "an-agency-with-a-long-name")
    system.tenants(*names).start("--clock-at", 1790858400000, "--clock-speed", 0)
    system.ampel("feed", portfolio, "--sent-at", UNTIL, check=False)
    wait_until(lambda: system.sql("select count(*) from ampel.rating") == "68", what="all ratings")
    top = ("top", "--once", "--limit", 0)
    for language in LANGUAGES:
        check_names(*check(top, language, system.environment))
        check_names(*check((*top, "--tenant", "an-agency-with-a-long-name"), language, system.environment))
        for words in [("tenant", "list"), ("tenant", "key", "nordlicht"), ("verify",),
                      ("fix", "--portfolio", "--limit", 0), ("explain", LONG), ("forecast", LONG),
                      ("rules", "compare", "default", "default", "--live", "--set", "repeat.ladder=off", "--limit", 0)]:
            check(words, language, system.environment, len(LONG) if LONG in words else 0)
        alerts, _ = check(("watch", "--tenant", "nordlicht", "--from", 1, "--count", 12), language, system.environment)
        assert "#12" in alerts
        assert ("seit" if language == "de" else "since") in system.ampel("tenant", "key", "suedwind", "--lang", language).stdout


def test_explain_tells_the_range_and_who_makes_it(portfolio):
    environment = dict(os.environ, AMPEL_ENV="/dev/null")
    account = busiest(portfolio, environment)
    words = ("explain", account, portfolio, "--as-of", UNTIL)
    told = json.loads(in_pipe([*words, "--format", "jsonl"], environment))
    scored = [json.loads(line) for line in in_pipe(["score", portfolio, "--as-of", UNTIL, "--format", "jsonl"], environment).splitlines()]
    row, = (row for row in scored if account == f"{row['tenant']}/{row['seller']}/{row['marketplace']}")
    assert (told["score_min"], told["score_max"]) == (row["score_min"], row["score_max"])
    scores = {variant["name"]: variant["score"] for variant in told["variants"]}
    assert len(scores) == 7
    assert told["score_min"] == min(told["score"], *scores.values()) < max(told["score"], *scores.values()) == told["score_max"]
    for name, score in scores.items():
        other = ["score", portfolio, "--as-of", UNTIL, "--no-outlook", "--format", "jsonl"]
        keys = {"ladder_off": "repeat.ladder=off", "double_once": "repeat.ladder=double_once", "linear": "orders.rounding=linear"}
        if name not in keys:
            continue
        under = [json.loads(line) for line in in_pipe([*other, "--set", keys[name]], environment).splitlines()]
        assert score == next(r["score"] for r in under if r["seller"] == account.split("/")[1])
    shown = in_pipe([*words, "--lang", "de"], environment)
    assert f"Spanne: {told['score_min']} bis {told['score_max']}" in shown
    moved = {name for name, score in scores.items() if score != told["score"]}
    for name in scores:
        assert bool(re.search(rf"^    {name} +{scores[name]}\b", shown, re.M)) == (name in moved)


def test_help_fits_a_terminal():
    environment = dict(os.environ, AMPEL_ENV="/dev/null")
    overview = in_pipe(["--help"], environment)
    commands = re.findall(r"^  (\w+) +\w", overview[overview.index("commands:"):], re.M)
    assert len(commands) >= 17
    texts = [overview] + [in_pipe([command, "--help"], environment) for command in commands]
    texts += [in_pipe(["rules", word, "--help"], environment) for word in ("compare", "set", "show")]
    for text in texts:
        for line in text.splitlines():
            assert len(line) <= COLUMNS, line
    assert in_pipe(["help", "score"], environment) == in_pipe(["score", "--help"], environment)

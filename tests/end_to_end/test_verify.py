"""ampel verify: silent where all is well, and each kind of damage is found and named."""

import json
import os
import re

import pytest

from system import AS_OF_MS, GOLDEN, TOP, System
from test_faults import portfolio

# A report, notifications, observed scores: what stands beside the score.
BESIDE = TOP / "tests" / "versions" / "events.jsonl"
FLAGS = ("--clock-at", AS_OF_MS, "--clock-speed", 0)


@pytest.fixture(scope="module")
def stored(cluster, tmp_path_factory):
    """Fed, killed, fed again and stopped in order; not written by any test."""
    made = System(cluster, tmp_path_factory.mktemp("verify"), f"verify_{os.getpid()}")
    made.environment["AMPEL_SEGMENT_BYTES"] = str(1 << 20)
    try:
        made.migrate(8).tenants("demo", "agency0", "agency1", "agency2").start(*FLAGS)
        for case in ("basics", "edges", "mixed"):
            made.ampel("feed", GOLDEN / f"{case}.events.jsonl", "--sent-at", AS_OF_MS, "--state", f"{case}.state",
                       "--refused", f"{case}.refused", check=False)  # those of the future are refused
        made.kill()
        made.start(*FLAGS)
        made.ampel("feed", BESIDE, "--sent-at", AS_OF_MS, "--state", "beside.state")
        made.ampel("feed", portfolio(made, 60, AS_OF_MS), "--sent-at", AS_OF_MS, "--batch-events", 500)
        made.stop()
        yield made
    finally:
        made.close()


@pytest.fixture
def damaged(stored):
    """The same, put back after the test: rows by the statements that the test gives, files by copies."""
    class Damage:
        undo = []

        def sql(self, statement, undo):
            self.undo.append(lambda: stored.sql(undo))
            stored.sql(statement)

        def flip(self, path, offset):
            old = path.read_bytes()
            self.undo.append(lambda: path.write_bytes(old))
            path.write_bytes(old[:offset] + bytes([old[offset] ^ 0x40]) + old[offset + 1:])
    damage = Damage()
    damage.undo = []
    yield damage
    for one in reversed(damage.undo):
        one()


def verify(system, *words):
    done = system.ampel("verify", *words, check=False)
    assert done.stderr == ""
    return done.returncode, [line for line in done.stdout.splitlines() if line.startswith("problem: ")], done.stdout


def test_what_was_stored_in_order_agrees_exactly(stored):
    status, problems, said = verify(stored, "--exact")
    assert (status, problems) == (0, []) and "not whole" not in said
    counted = re.search(r"(\d+) pages, (\d+) accounts, (\d+) violations, (\d+) windows", said)
    assert all(int(number) > 0 for number in counted.groups()), said
    assert int(counted[2]) == int(stored.sql("select count(*) from ampel.rating"))
    assert int(counted[3]) == int(stored.sql("select count(*) from ampel.violation"))
    assert f"compared: {counted[2]} rating rows, {counted[2]} with history" in said
    assert int(re.search(r"(\d+) records", said)[1]) > 10


def test_a_flipped_byte_in_a_page_is_named(stored, damaged):
    row = "from ampel.page where length(bytes) > 100 order by partition, page limit 1"
    partition, page = stored.sql(f"select partition || ' ' || page {row}").split()
    change = "update ampel.page set bytes = set_byte(bytes, 60, get_byte(bytes, 60) # 1) " \
             f"where partition = {partition} and page = {page}"
    damaged.sql(change, change)
    status, problems, _ = verify(stored)
    assert status == 1 and problems == [f"problem: partition {partition}: page {page}: checksum: the page is damaged"]


def test_a_page_that_is_gone_is_noticed(stored, damaged):
    partition = stored.sql("select partition from ampel.page order by partition limit 1")
    damaged.sql(f"create table public.kept as select * from ampel.page where partition = {partition}; "
                f"delete from ampel.page where partition = {partition}",
                "insert into ampel.page select * from public.kept; drop table public.kept")
    status, problems, _ = verify(stored)
    assert status == 1 and problems == [f"problem: partition {partition}: pages are missing"]


ACCOUNT = "(tenant, seller, marketplace) = (select tenant, seller, marketplace from ampel.rating where %s " \
          "order by seller limit 1)"


@pytest.mark.parametrize("change, undo, words", [
    ("score = score + 1", "score = score - 1", "score is"),
    ("orders = orders + 200", "orders = orders - 200", "orders is"),
    ("deducted = deducted + 1", "deducted = deducted - 1", "deducted is"),
    ("risk = 'elevated' || risk", "risk = substr(risk, 9)", "risk is elevated"),
    ("caps = (caps::jsonb - 'restricted')::text", "caps = (caps::jsonb || '{\"restricted\": 0}')::text", "repeats"),
])
def test_a_changed_rating_row_is_named(stored, damaged, change, undo, words):
    where = ACCOUNT % "restricted_count = 0 and score < 1000"
    name = stored.sql(f"select tenant || '/' || seller || '/' || marketplace from ampel.rating where {where}")
    damaged.sql(f"update ampel.rating_row set {change} where {where}",
                f"update ampel.rating_row set {undo} where tenant || '/' || seller || '/' || marketplace = '{name}'")
    status, problems, _ = verify(stored)
    assert status == 1 and len(problems) == 1, problems
    assert f"rating of {name}: " in problems[0] and words in problems[0]


# Each column that a checkpoint writes and no test above damages: how its table says it, its row, another value for it.
ACCOUNTS = "tenant || '/' || seller || '/' || marketplace"
COLUMNS = {
    "rating": ("rating of", "next_change_at is not null and score < 900", {
        "score_min": "score_min - 1", "score_max": "score_max + 1",
        "next_change_at": "next_change_at + interval '1 s'", "turns_green_at": "'2026-10-09'",
        "turns_yellow_at": "'2026-10-09'", "turns_red_at": "'2026-10-09'",
        "score_without_incidents": "7", "incidents": "'[]'", "incidents_total": "incidents_total + 1"}),
    "violation": ("violation", "cleared_since is null", {
        "severity_given": "'low1'", "state_at": "'2026-09-09'", "cleared_since": "'2026-09-09'", "points_given": "7",
        "rev": "rev + 1", "critical": "not critical", "state_deducts": "not state_deducts", "incident": "'i'",
        "asin": "coalesce(asin, '') || 'x'", "sku": "coalesce(sku, '') || 'x'", "at_risk_sales_cents": "17"}),
    "beside": ("what stands beside", "jsonb_array_length(metrics) > 0", {
        "days_marked": "days_marked + 1", "days_below": "days_below + 1", "days_to_lost": "days_to_lost + 1",
        "professional": "not professional", "emergency_phone": "not emergency_phone", "eligible": "not eligible",
        "near": "not near", "today_below": "not today_below", "banner": "'x'", "metrics": "metrics - 0",
        "drifts": "drifts - 0", "missing": "'[{}]'"}),
}


@pytest.mark.parametrize("table, column", [(table, column) for table in COLUMNS for column in COLUMNS[table][2]])
def test_every_other_column_that_is_not_what_the_pages_make_is_named(stored, damaged, table, column):
    said, where, changes = COLUMNS[table]
    key = ACCOUNTS + (" || id" if table == "violation" else "")
    change_drifts = " and jsonb_array_length(drifts) > 0" if column == "drifts" else ""
    one = stored.sql(f"select {key} from ampel.{table}_row where {where}{change_drifts} order by 1 limit 1")
    assert one, "there is such a row"
    damaged.sql(f"create table public.kept as select * from ampel.{table}_row where {key} = '{one}'; "
                f"update ampel.{table}_row set {column} = {changes[column]} where {key} = '{one}'",
                f"delete from ampel.{table}_row where {key} = '{one}'; "
                f"insert into ampel.{table}_row select * from public.kept; drop table public.kept")
    status, problems, _ = verify(stored)
    assert status == 1 and len(problems) == 1, problems
    assert problems[0].startswith(f"problem: {said} ") and f": {column} is " in problems[0]


def test_no_column_that_is_stored_is_left_out(stored):
    checked = {"partition", "as_of", "rules_version", "tenant", "seller", "marketplace", "id",  # keys, times of writing
               "score", "status", "risk", "orders", "order_points", "deducted", "criticals", "caps", "outlook",
               "policy", "severity", "state", "at", "expires_at", "rank", "points"}  # those with tests of their own above
    for table in COLUMNS:
        names = stored.sql("select attname from pg_attribute where attnum > 0 and not attisdropped "
                           f"and attrelid = 'ampel.{table}_row'::regclass").split()
        assert set(names) - checked == set(COLUMNS[table][2]), table


# Each member of an outlook, with another value for it.
OUTLOOK = {"fixes": "jsonb_set(outlook::jsonb, '{fixes,0,1}', '-7')", "fixes_total": "jsonb_set(outlook::jsonb, '{fixes_total}', '77')",
           "steps": "outlook::jsonb #- '{steps,0}'", "steps_total": "jsonb_set(outlook::jsonb, '{steps_total}', '77')",
           "to_green": "jsonb_set(outlook::jsonb, '{to_green}', '[\"x\"]')",
           "green_known": "jsonb_set(outlook::jsonb, '{green_known}', to_jsonb(not (outlook::jsonb -> 'green_known')::boolean))",
           "caps": "outlook::jsonb - 'caps'", "other": "outlook::jsonb || '{\"other\": 1}'"}


@pytest.mark.parametrize("member", OUTLOOK)
def test_every_member_of_an_outlook_that_is_not_what_the_pages_make_is_named(stored, damaged, member):
    one = stored.sql(f"select {ACCOUNTS} from ampel.outlook where fixes_total > 1 and steps_total > 1 order by 1 limit 1")
    kept = stored.sql(f"select outlook from ampel.rating_row where {ACCOUNTS} = '{one}'")
    assert set(json.loads(kept)) == set(OUTLOOK) - {"other"}
    damaged.sql(f"update ampel.rating_row set outlook = ({OUTLOOK[member]})::text where {ACCOUNTS} = '{one}'",
                f"update ampel.rating_row set outlook = $text${kept}$text$ where {ACCOUNTS} = '{one}'")
    status, problems, _ = verify(stored)
    assert status == 1 and len(problems) == 1, problems
    assert problems[0].startswith(f"problem: outlook of {one}: {member} is ")


def test_an_outlook_from_before_there_were_any_is_a_problem_only_if_all_is_to_be_exact(stored, damaged):
    one = stored.sql(f"select {ACCOUNTS} from ampel.outlook order by 1 limit 1")
    kept = stored.sql(f"select outlook from ampel.rating_row where {ACCOUNTS} = '{one}'")
    damaged.sql(f"update ampel.rating_row set outlook = null where {ACCOUNTS} = '{one}'",
                f"update ampel.rating_row set outlook = $text${kept}$text$ where {ACCOUNTS} = '{one}'")
    status, problems, _ = verify(stored)
    assert (status, problems) == (0, [])
    status, problems, _ = verify(stored, "--exact")
    assert status == 1 and {problem.split(":")[1] for problem in problems} == {f" outlook of {one}"}


@pytest.mark.parametrize("table, said", [("beside", "what stands beside")])
def test_rows_behind_the_rating_that_are_missing_or_too_many_are_named(stored, damaged, table, said):
    one = stored.sql(f"select {ACCOUNTS} from ampel.{table}_row order by 1 limit 1")
    damaged.sql(f"update ampel.{table}_row set seller = 'NOBODY' where {ACCOUNTS} = '{one}'",
                f"update ampel.{table}_row set seller = '{one.split('/')[1]}' where seller = 'NOBODY'")
    status, problems, _ = verify(stored, "--exact")
    tenant, _, marketplace = one.split("/")
    assert status == 1 and sorted(problems) == sorted([
        f"problem: {said} {tenant}/NOBODY/{marketplace}: no page makes this row", f"problem: {said} {one}: the row is missing"])


def test_an_order_count_inside_its_block_is_a_problem_only_if_it_is_to_be_exact(stored, damaged):
    where = ACCOUNT % "orders % 200 between 1 and 150"
    name = stored.sql(f"select seller from ampel.rating where {where}")
    damaged.sql(f"update ampel.rating_row set orders = orders + 1 where {where}",
                f"update ampel.rating_row set orders = orders - 1 where seller = '{name}'")
    status, problems, said = verify(stored)
    assert (status, problems) == (0, []) and "1 rating rows wait for their order counts" in said
    status, problems, _ = verify(stored, "--exact")
    assert status == 1 and len(problems) == 1 and "orders is" in problems[0]


def test_rows_that_are_missing_or_too_many_are_named(stored, damaged):
    damaged.sql("create table public.kept as select * from ampel.rating_row order by seller limit 1; "
                "delete from ampel.rating_row using public.kept as k where rating_row.seller = k.seller",
                "insert into ampel.rating_row select * from public.kept; drop table public.kept")
    damaged.sql("insert into ampel.rating_row select tenant, 'NOBODY', marketplace, partition, score, status, risk, orders, "
                "order_points, deducted, criticals, caps, as_of, rules_version from ampel.rating_row limit 1",
                "delete from ampel.rating_row where seller = 'NOBODY'")
    status, problems, _ = verify(stored)
    assert status == 1 and len(problems) == 2
    assert any("the row is missing" in one for one in problems)
    assert any("/NOBODY/" in one and "has this account" in one for one in problems)


def test_a_violation_row_that_differs_is_gone_or_is_too_many_is_named(stored, damaged):
    key = stored.sql("select id from ampel.violation where state = 'open' group by id having count(*) = 1 order by id limit 1")
    damaged.sql(f"update ampel.violation_row set state = 'approved' where id = '{key}'",
                f"update ampel.violation_row set state = 'open' where id = '{key}'")
    status, problems, _ = verify(stored)
    assert status == 1 and len(problems) == 1 and f"violation {key} of" in problems[0] and "state differs" in problems[0]
    damaged.sql(f"update ampel.violation_row set id = id || 'x' where id = '{key}'",
                f"update ampel.violation_row set id = '{key}' where id = '{key}x'")
    status, problems, _ = verify(stored)
    assert status == 1 and len(problems) == 2
    assert any(f"{key}x of" in one and "no page has it" in one for one in problems)
    assert any(f"{key} of" in one and "the row is missing" in one for one in problems)


def test_a_history_that_tells_another_score_is_named(stored, damaged):
    last = "number = (select max(number) from ampel.history_row)"
    damaged.sql(f"update ampel.history_row set score = score + 1 where {last}",
                f"update ampel.history_row set score = score - 1 where {last}")
    status, problems, _ = verify(stored)
    assert status == 1 and len(problems) == 1 and "history of" in problems[0]


def test_a_history_that_does_not_go_on_from_where_it_was_is_named(stored, damaged):
    row = stored.sql("select h.number || ' ' || h.tenant from ampel.history_row h where exists (select from ampel.history_row b "
                     "where (b.tenant, b.seller, b.marketplace) = (h.tenant, h.seller, h.marketplace) and b.number < h.number) "
                     "and h.score_before is not null order by h.number limit 1")
    number, tenant = row.split()
    where = f"where number = {number} and tenant = '{tenant}'"
    damaged.sql(f"update ampel.history_row set score_before = score_before - 1 {where}",
                f"update ampel.history_row set score_before = score_before + 1 {where}")
    status, problems, _ = verify(stored)
    assert status == 1 and len(problems) == 1 and f"number {number} begins at" in problems[0]


def test_what_was_told_twice_or_beyond_the_next_number_is_named(stored, damaged):
    one = "tenant = 'demo' and number = 1"
    old = stored.sql(f"select id from ampel.history_row where {one}")
    damaged.sql(f"update ampel.history_row set id = (select id from ampel.history_row where tenant = 'demo' and number = 2) where {one}",
                f"update ampel.history_row set id = '{old}' where {one}")
    status, problems, _ = verify(stored)
    assert status == 1 and len(problems) == 1 and "stream demo/scores" in problems[0] and "is there 2 times" in problems[0]
    stored.sql(f"update ampel.history_row set id = '{old}' where {one}")
    damaged.sql("update ampel.stream_number set next = next - 1 where tenant = 'demo'",
                "update ampel.stream_number set next = next + 1 where tenant = 'demo'")
    status, problems, _ = verify(stored)
    assert status == 1 and len(problems) == 2 and all("was given, but the next is" in one for one in problems)


def segments(system):
    return sorted((system.folder / "journal").glob("0*.log"))


def test_a_damaged_record_is_named_with_file_and_offset(stored, damaged):
    path = segments(stored)[-1]
    damaged.flip(path, 4096 + 32 + 60)
    status, problems, _ = verify(stored)
    assert status == 1
    assert problems[0].startswith(f"problem: journal: {path.name}: offset 4128 (position "), problems
    assert "the record is damaged, and more follows it" in problems[0]
    again = stored.ampel("verify", check=False)
    assert again.returncode == 1, "verifying changes nothing"


def test_a_last_group_that_is_not_whole_is_told_and_left(stored, damaged):
    end = int(re.search(r"positions \d+ to (\d+)", verify(stored)[2])[1])
    path = segments(stored)[-1]
    damaged.flip(path, end - int(path.stem, 16) - 20)
    torn = path.read_bytes()
    status, problems, said = verify(stored)
    assert "the last group is not whole; a start would cut it" in said
    assert status == 1 and all("but the journal ends at" in one for one in problems), "it had been stored already"
    assert path.read_bytes() == torn


def test_a_journal_that_ends_before_the_stored_position_is_noticed(stored, damaged):
    partition = stored.sql("select partition from ampel.page order by partition limit 1")
    damaged.sql(f"update ampel.partition set position = position + 1000000000 where partition = {partition}",
                f"update ampel.partition set position = position - 1000000000 where partition = {partition}")
    status, problems, _ = verify(stored)
    assert status == 1 and len(problems) == 1 and "but the journal ends at" in problems[0]


def test_other_rules_are_refused_by_name_and_the_same_name_with_other_rules_is_noticed(stored, tmp_path):
    text = (GOLDEN.parents[1] / "deploy/rules/amazon.yaml").read_text()
    other = tmp_path / "other.yaml"
    other.write_text(text.replace("version: amazon-1", "version: other-9"))
    status, problems, _ = verify(stored, "--rules", other)
    assert status == 1 and all("stored with the rules amazon-1, verified with other-9" in one for one in problems)
    other.write_text(text.replace("start: 200", "start: 201"))
    status, problems, _ = verify(stored, "--rules", other)
    assert status == 1 and any("its page shows score" in one for one in problems)


def test_rules_that_were_set_while_running_are_those_it_verifies_with(system):
    system.start(*FLAGS)
    system.ampel("feed", GOLDEN / "basics.events.jsonl", "--sent-at", AS_OF_MS, "--state", "basics.state")
    text = (GOLDEN.parents[1] / "deploy/rules/amazon.yaml").read_text()
    (system.folder / "set.yaml").write_text(text.replace("amazon-1", "set-1").replace("start: 200", "start: 150"))
    system.ampel("rules", "set", system.folder / "set.yaml")
    system.stop()
    status, problems, said = verify(system, "--exact")
    assert (status, problems) == (0, []), said
    system.sql("update ampel.rules set text = replace(text, 'start: 150', 'start: 151')")
    status, problems, _ = verify(system)
    assert status == 1 and any("its page shows score" in one for one in problems)


def test_rows_written_at_different_times_agree_exactly_after_an_orderly_stop(system):
    day = 86400000
    for step in range(4):
        now = AS_OF_MS + step * day * 9
        system.start("--clock-at", now, "--clock-speed", 0)
        if step == 0:
            system.ampel("feed", BESIDE, "--sent-at", AS_OF_MS, "--state", "beside.state")
            system.ampel("feed", GOLDEN / "edges.events.jsonl", "--sent-at", AS_OF_MS, "--state", "edges.state",
                         "--refused", "refused", check=False)
        else:
            event = {"tenant": "demo", "seller": f"CASE0{step}", "marketplace": "A1PA6795UKMFR9", "type": "order",
                     "at": now, "count": step}
            system.ampel("feed", "-", "--sent-at", now, "--state", f"order{step}.state", stdin=json.dumps(event) + "\n")
        system.stop()
        status, problems, said = verify(system, "--exact")
        assert (status, problems) == (0, []), said


def test_while_a_worker_runs_the_database_alone_is_checked_and_stays_whole(stored):
    stored.start(*FLAGS)
    status, problems, said = verify(stored)
    assert (status, problems) == (0, []) and "a worker uses the journal: it is left out" in said
    stored.stop()
    assert verify(stored, "--exact")[0] == 0


def test_a_database_that_is_away_is_a_failure_and_no_problem_of_the_data(stored):
    done = stored.ampel("verify", "--database", "postgresql://127.0.0.1:1/none", check=False)
    assert done.returncode == 3 and done.stderr.startswith("ampel verify: ")

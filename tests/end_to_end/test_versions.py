"""What every version so far has written is read by this build. That a newer one's is refused by name: tests/unit."""

import json
import pathlib
import shutil
import subprocess

import pytest

from system import AS_OF_MS, TOP, golden_expected, wait_until

VERSIONS = sorted((TOP / "tests" / "versions").glob("v*"))
FLAGS = ("--clock-at", AS_OF_MS, "--clock-speed", 0)
EXPECTED = {line["seller"]: line["score"] for line in golden_expected("basics")}


def stored(system):
    return {row["seller"]: row["score"] for row in system.rows("select seller, score from ampel.rating")}


@pytest.fixture(params=VERSIONS, ids=[path.name for path in VERSIONS])
def version(request):
    return request.param


@pytest.fixture
def of_that_version(bare_system, version):
    """An empty system with the id and the journal of the sample."""
    bare_system.migrate(1).tenants("demo")
    bare_system.sql(f"update ampel.system set id = {(version / 'system').read_text()}")
    shutil.copytree(version / "journal", bare_system.folder / "journal")
    return bare_system


def test_there_is_a_sample():
    assert VERSIONS


def test_batches_in_a_file_are_read(bare_system, version):
    said = bare_system.ampel("score", version / "batches.ampel", "--as-of", AS_OF_MS, "--format", "jsonl", check=False)
    assert said.returncode == 0, said.stderr
    assert {line["seller"]: line["score"] for line in map(json.loads, said.stdout.splitlines())} == EXPECTED


def test_a_journal_is_read_from_its_beginning(of_that_version):
    of_that_version.start(*FLAGS)
    assert of_that_version.metric("frames_applied_total") > 0
    of_that_version.stop()
    assert stored(of_that_version) == EXPECTED


def test_pages_are_read_and_nothing_is_applied_a_second_time(of_that_version, version):
    of_that_version.sql("delete from ampel.partition")
    for table, columns in (("partition", "partition, epoch, position, as_of, rules_version, refusals"),
                           ("meta", "partition, bytes"), ("page", "partition, page, position, bytes")):
        path = pathlib.Path(version / f"{table}.copy")
        subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c",
                        f"copy ampel.{table} ({columns}) from stdin", of_that_version.url],
                       input=path.read_text(), text=True, check=True)
    of_that_version.start(*FLAGS)
    assert of_that_version.metric("frames_applied_total") == 0
    wait_until(lambda: of_that_version.metric("accounts") == len(EXPECTED), what="the accounts of the pages")
    done = of_that_version.ampel("feed", version / "batches.ampel", "--state", "state")
    assert "durable before" in done.stdout, "the windows of producers are known"
    of_that_version.stop()

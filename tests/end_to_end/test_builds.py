"""The same events through every build and every way to cut them: one digest."""

import hashlib
import subprocess

import pytest

from system import AS_OF_MS, GOLDEN, TOP, golden_expected

BUILDS = {"gcc -O3": "build", "clang -O3": "build/clang", "gcc -O2 with sanitizers": "build/asan", "gcc -O0": "build/dev"}
PRESENT = {name: TOP / folder / "bin" / "ampel" for name, folder in BUILDS.items()
           if (TOP / folder / "bin" / "ampel").exists()}
EVENTS = sorted(GOLDEN.glob("*.events.jsonl"))
RATINGS = "select seller, marketplace, score, status, risk, orders, order_points, deducted from ampel.rating order by 1, 2"


def digest(program, path, folder, *words):
    done = subprocess.run([str(program), "score", str(path), "--as-of", str(AS_OF_MS), "--format", "jsonl", *words], check=True,
                          env={"AMPEL_ENV": "/dev/null", "ASAN_OPTIONS": "detect_leaks=0"}, cwd=folder, stdout=subprocess.PIPE)
    assert done.stdout.count(b"\n") > 0
    return hashlib.sha256(done.stdout).hexdigest()


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.name)
def test_compilers_and_optimisation_levels_make_one_digest(path, tmp_path):
    found = {name: digest(program, path, tmp_path) for name, program in PRESENT.items()}
    print(found)
    assert len(set(found.values())) == 1, found


def test_other_rules_make_another_digest(tmp_path):
    program = next(iter(PRESENT.values()))
    assert digest(program, EVENTS[0], tmp_path) != digest(program, EVENTS[0], tmp_path, "--set", "start=201")


@pytest.mark.parametrize("batch_events", [1, 7, 4096])
def test_batches_of_any_size_in_a_file_make_one_digest(batch_events, tmp_path):
    program, events = next(iter(PRESENT.values())), GOLDEN / "basics.events.jsonl"
    subprocess.run([str(program), "encode", str(events), "-o", str(tmp_path / "events.ampel"), "--sent-at", str(AS_OF_MS),
                    "--batch-events", str(batch_events)], check=True, env={"AMPEL_ENV": "/dev/null"}, cwd=tmp_path)
    assert digest(program, tmp_path / "events.ampel", tmp_path) == digest(program, events, tmp_path)


@pytest.mark.parametrize("partitions, batch_events, shards", [(1, 10, 1), (7, 100, 2), (64, 1000, 2)])
def test_partitions_batches_and_shards_of_any_number_store_the_same_ratings(bare_system, partitions, batch_events, shards):
    system = bare_system.migrate(partitions).tenants("demo")
    system.start("--clock-at", AS_OF_MS, "--clock-speed", 0, "--shards", shards)
    system.ampel("feed", GOLDEN / "basics.events.jsonl", "--sent-at", AS_OF_MS, "--state", "basics.state", "--batch-events",
                 batch_events)
    system.stop()
    expected = [{key: line[key] for key in ("seller", "marketplace", "score", "status", "risk", "orders", "order_points",
                                            "deducted")} for line in golden_expected("basics")]
    assert sorted(map(str, system.rows(RATINGS))) == sorted(map(str, expected))

"""tests/kill can fail: what is planted in the ledger is found."""

import subprocess

from system import TOP


def kill(*words):
    done = subprocess.run([str(TOP / "tests" / "kill"), *words], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=120)
    return done.returncode, done.stdout


def test_an_acked_batch_that_was_never_applied_is_found_lost():
    status, said = kill("--rounds", "1", "--canary", "lose")
    assert status == 1 and "lost: batch 3 of f0" in said and " 1 lost, 0 doubled" in said.splitlines()[-1], said


def test_a_batch_that_was_applied_twice_is_found_doubled():
    status, said = kill("--rounds", "1", "--canary", "double")
    assert status == 1 and "doubled: batch 2 of f0" in said and " 1 doubled" in said.splitlines()[-1], said

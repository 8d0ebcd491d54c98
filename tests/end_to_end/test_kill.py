"""tests/kill can fail: what is planted in the ledger is found. Ended early, it tells what it found so far."""

import re
import signal
import subprocess
import time

from system import TOP


def kill(*words):
    done = subprocess.run([str(TOP / "tests" / "kill"), *words], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=120)
    return done.returncode, done.stdout


def found(canary, line, last):
    """A life may end before the feeder came to its canary: several lives, and three tries."""
    for _ in range(3):
        status, said = kill("--rounds", "5", "--canary", canary)
        if status == 1 and line in said and last in said.splitlines()[-1]:
            return
    raise AssertionError(said)


def test_an_acked_batch_that_was_never_applied_is_found_lost():
    found("lose", "lost: batch 3 of f0", " 1 lost, 0 doubled")


def test_a_batch_that_was_applied_twice_is_found_doubled():
    found("double", "doubled: batch 2 of f0", " 1 doubled")


def test_a_run_that_is_ended_early_judges_and_tells_what_was_done():
    process = subprocess.Popen([str(TOP / "tests" / "kill"), "--rounds", "100000"], text=True, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
    time.sleep(8)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0 and re.search(r"^\d+ kills, \d+ acked, 0 lost, 0 doubled$", said.splitlines()[-1]), said

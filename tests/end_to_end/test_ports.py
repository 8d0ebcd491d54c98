"""What tests listen on: a port is handed out once, though nobody listens on it yet."""

import subprocess
import sys

import postgres

COUNT = 500
ELSEWHERE = f"import postgres; print(*(postgres.free_port() for _ in range({COUNT})))"


def test_no_port_is_handed_out_twice():
    here = {postgres.free_port() for _ in range(COUNT)}
    folder = postgres.__file__.rsplit("/", 1)[0]
    told = subprocess.run([sys.executable, "-c", ELSEWHERE], cwd=folder, check=True, text=True, stdout=subprocess.PIPE)
    elsewhere = set(map(int, told.stdout.split()))
    assert (len(here), len(elsewhere), here & elsewhere) == (COUNT, COUNT, set())

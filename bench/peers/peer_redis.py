"""Redis with its append-only file: sorted sets filled through pipelines, ratings read out by the client; and a function in Lua
that keeps the ratings itself. The client's own work of naming commands is done before the clock starts."""

import contextlib
import itertools
import pathlib
import subprocess
import sys
import tempfile
import time

import redis

from events import policies
from meter import Meter

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "deploy"))
from postgres import free_port  # noqa: E402

CELL, WINDOW_MS, BATCH = 1 << 24, 15_552_000_000, 1000


@contextlib.contextmanager
def server():
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        process = subprocess.Popen(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--appendonly", "yes",
                                    "--appendfsync", "everysec", "--save", "", "--io-threads", "1"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            client = redis.Redis(port=port)
            while True:
                with contextlib.suppress(redis.ConnectionError):
                    client.ping()
                    break
                time.sleep(0.05)
            yield client, port, process.pid
        finally:
            process.terminate()
            process.wait()


def command(*words):
    parts = [str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def piped(path, port):
    done = subprocess.run(f"redis-cli -p {port} --pipe < '{path}'", shell=True, stdout=subprocess.PIPE, text=True, check=True)
    if "errors: 0" not in done.stdout:
        raise RuntimeError(done.stdout)


def sets_command(row):
    """Day cells: o:N adds increments, d:N keeps the greatest (rev, total); v:N and s:N hold every version by its time."""
    if row["type"] == 0:
        return command("ZINCRBY", f"o:{row['account']}", row["n"], row["day"])
    if row["type"] == 1:
        return command("ZADD", f"d:{row['account']}", "GT", row["rev"] * CELL + row["n"], row["day"])
    if row["type"] == 2:
        version = ":".join(str(row[name]) for name in ("rev", "moment", "policy", "severity", "points", "id"))
        return command("ZADD", f"v:{row['account']}", row["moment"], version)
    if row["type"] == 3:
        return command("ZADD", f"s:{row['account']}", row["moment"], f"{row['state']}:{row['moment']}:{row['id']}")
    return command("SADD", "others", row["account"])


def rating(days, told, versions, states, task, rules):
    """The rating of one account from its four sorted sets."""
    cells = {int(day): min(int(n), CELL - 1) for day, n in days} | {int(day): int(n) % CELL for day, n in told}
    orders = sum(n for day, n in cells.items() if day > task.today - 180)
    latest, state, cleared = {}, {}, {}
    for member, _ in versions:
        *numbers, name = member.decode().split(":", 5)
        latest[name] = max(latest.get(name, ()), tuple(map(int, numbers)))
    for member, _ in states:
        code, at, name = member.decode().split(":", 2)
        state[name] = max(state.get(name, (-1, -1)), (int(at), int(code)))
        if int(code) >= 5:
            cleared[name] = min(cleared.get(name, int(at)), int(at))
    known = [(at, name.encode(), policy, severity if severity >= 0 else rules[policy][2], points, state.get(name, (0, 0))[1],
              cleared.get(name)) for name, (_, at, policy, severity, points) in latest.items()]
    deducted, criticals, caps = 0, 0, [0, 0, 0]
    for at, name, policy, severity, points, code, _ in known:
        if at <= task.as_of_ms - WINDOW_MS:
            continue
        rank = sum(u[2] == policy and u[3] > 0 and (u[0], u[1]) < (at, name) and at - u[0] < WINDOW_MS
                   and not (u[5] >= 5 and u[6] <= at) for u in known)
        critical = severity == 4 and points < 0
        counted = points if points >= 0 else 0 if critical else (0, 2, 4, 8)[severity] << min(rank, 4)
        deducted, criticals = (deducted + counted, criticals + critical) if code < 4 else (deducted, criticals)
        caps[rules[policy][1]] += severity > 0 and code < 5
    order_points = 4 * (orders // 200)
    score = 0 if criticals else max(0, min(1000, 200 + order_points - deducted))
    status = "green" if score >= 200 else "yellow" if score >= 100 else "red"
    risk = "immediate" if caps[1] >= 5 or caps[2] >= 2 else {"red": "eligible", "yellow": "at_risk", "green": "none"}[status]
    return score, status, risk, orders, order_points, deducted, caps[1], caps[2]


def sorted_sets(task):
    """Events into sorted sets; the ratings are the client's work and told apart."""
    rules, path = policies(), task.folder / "redis-sets"
    accounts = set()
    with open(path, "wb") as file:
        for row in task.rows():
            if row["moment"] <= task.as_of_ms:
                accounts.add(row["account"])
                file.write(sets_command(row))
    with server() as (client, port, pid):
        with Meter([pid]) as meter:
            piped(path, port)
        found, before = {}, time.monotonic()
        queue = iter(sorted(accounts))
        while part := list(itertools.islice(queue, BATCH)):
            reader = client.pipeline(transaction=False)
            for account in part:
                for kind in "odvs":
                    reader.zrange(f"{kind}:{account}", 0, -1, withscores=True)
            answers = reader.execute()
            for i, account in enumerate(part):
                found[account] = rating(*answers[4 * i:4 * i + 4], task, rules)
        return found, meter, {"ratings_read_seconds": round(time.monotonic() - before, 2)}


def lua_function(task):
    """Batches of 1 000 events, a call for each account in them; every rating stands when its call returns."""
    code = (HERE / "rating.lua").read_text().replace("@policies@", ", ".join(f"{{{group}, {severity}}}" for _, group, severity in policies()))
    path = task.folder / "redis-lua"
    accounts, rows = set(), (row for row in task.rows() if row["moment"] <= task.as_of_ms)
    with open(path, "wb") as file:
        while part := list(itertools.islice(rows, BATCH)):
            calls = {}
            for row in part:
                calls.setdefault(row["account"], []).extend(row[name] for name in (
                    "type", "moment", "day", "rev", "n", "id", "policy", "severity", "points", "state"))
            accounts |= calls.keys()
            for account, words in calls.items():
                keys = [f"{kind}:{account}" for kind in "ovsr"]
                file.write(command("FCALL", "ampel_apply", 4, *keys, task.as_of_ms, task.today, *words))
    with server() as (client, port, pid):
        client.function_load(code)
        with Meter([pid]) as meter:
            piped(path, port)
        found = {}
        for account in accounts:
            score, status, risk, *rest = client.get(f"r:{account}").decode().split()
            found[account] = (int(score), status, risk, *map(int, rest[:-1]))
        return found, meter, {"batch": BATCH}

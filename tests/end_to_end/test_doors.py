"""Bad input at every door: a clear error that names what is wrong, and nothing else suffers."""

import json
import os
import subprocess
import time

import msgpack
import pytest
import zmq

from system import AS_OF_MS, BIN, GOLDEN, TOP, wait_until

ACCOUNT = {"tenant": "demo", "seller": "S1", "marketplace": "M1"}
ORDER = {**ACCOUNT, "type": "order", "at": AS_OF_MS, "count": 200}
FLAGS = ("--clock-at", AS_OF_MS, "--clock-speed", 0)


def lines(path, *events):
    path.write_text("".join((event if isinstance(event, str) else json.dumps(event)) + "\n" for event in events))
    return path


def keys(system, tenant="demo"):
    text = (system.folder / "keys" / f"{tenant}.key").read_text()
    return dict(line.split() for line in text.splitlines() if line and not line.startswith("#"))


def connect(system, port, pair):
    socket = zmq.Context.instance().socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.curve_serverkey = pair["server"].encode()
    socket.curve_publickey = pair["public"].encode()
    socket.curve_secretkey = pair["secret"].encode()
    socket.connect(f"tcp://127.0.0.1:{port}")
    return socket


def ask(socket, message, timeout_ms=5000):
    socket.send(message if isinstance(message, bytes) else msgpack.packb(message))
    return msgpack.unpackb(socket.recv()) if socket.poll(timeout_ms) else None


def batch(sequence=0, **other):
    return {"v": 1, "producer": "test", "seq": sequence, "sent_at": AS_OF_MS, "backfill": False,
            "accounts": [["S1", "M1"]], "rows": [[0, "order", AS_OF_MS, {"count": 200}]], **other}


def score_of(system, seller="S1"):
    rows = system.rows(f"select score from ampel.rating where seller = '{seller}'")
    return rows[0]["score"] if rows else None


def test_events_that_break_a_rule_are_refused_by_name_and_cost_nothing_else(system):
    system.start(*FLAGS)
    path = lines(system.folder / "mixed.jsonl",
                 ORDER,
                 {**ACCOUNT, "type": "violation", "at": AS_OF_MS, "id": "v1", "policy": "no_such_policy"},
                 {**ORDER, "count": "many"},
                 {**ORDER, "colour": "green"},
                 "{ this is no JSON",
                 {**ORDER, "at": AS_OF_MS + 5 * 60_000 + 1, "seller": "FUTURE"},
                 {**ORDER, "at": AS_OF_MS - 360 * 86_400_000 - 1, "seller": "ANCIENT"},
                 {**ORDER, "seller": "has space"},
                 {**ORDER, "count": 0},
                 {**ORDER, "seller": "S2"})
    done = system.ampel("feed", path, "--sent-at", AS_OF_MS, check=False)
    assert done.returncode == 1, done.stderr
    assert "2 events accepted, 8 refused" in done.stdout
    refused = [json.loads(line) for line in (system.folder / "mixed.jsonl.refused.jsonl").read_text().splitlines()]
    by_verdict = sorted((line["verdict"], line["field"]) for line in refused)
    assert [verdict for verdict, _ in by_verdict].count("future") == 1
    assert [verdict for verdict, _ in by_verdict].count("ancient") == 1
    assert ("unknown_name", "policy") in by_verdict
    assert ("unknown_field", "colour") in by_verdict
    assert ("bad_value", "count") in by_verdict and ("out_of_range", "count") in by_verdict
    assert any(":5:" in line["reason"] for line in refused), "the line of the broken JSON is named"
    wait_until(lambda: score_of(system) == 204 and score_of(system, "S2") == 204, what="both neighbours")
    assert score_of(system, "FUTURE") is None and score_of(system, "ANCIENT") is None


def test_a_second_feed_of_the_same_file_changes_nothing_and_a_grown_file_adds_what_is_new(system):
    system.start(*FLAGS)
    path = lines(system.folder / "orders.jsonl", *[ORDER] * 3)
    system.ampel("feed", path, "--sent-at", AS_OF_MS, "--batch-events", 2)
    again = system.ampel("feed", path, "--sent-at", AS_OF_MS, "--batch-events", 2)
    assert "2 of them were durable before" in again.stdout
    wait_until(lambda: score_of(system) == 212, what="600 orders")
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(ORDER) + "\n")
    system.ampel("feed", path, "--sent-at", AS_OF_MS, "--batch-events", 2)
    wait_until(lambda: score_of(system) == 216, what="800 orders")
    lines(path, {**ORDER, "count": 1}, *[ORDER] * 3)
    changed = system.ampel("feed", path, "--sent-at", AS_OF_MS, "--batch-events", 2, check=False)
    assert changed.returncode == 3 and "not those sent before" in changed.stderr


def test_an_unknown_key_gets_no_word(system):
    system.start(*FLAGS)
    public, secret = zmq.curve_keypair()
    pair = {**keys(system), "public": public.decode(), "secret": secret.decode()}
    socket = connect(system, system.feed_port, pair)
    assert ask(socket, {"v": 1, "m": "hello", "producer": "x"}, 1500) is None
    wait_until(lambda: system.metric("gateway_peers_refused_total") >= 1)
    socket.close()


def test_a_key_that_is_revoked_or_suspended_is_refused_without_a_restart(system):
    system.start(*FLAGS)
    socket = connect(system, system.feed_port, keys(system))
    assert ask(socket, {"v": 1, "m": "hello", "producer": "test"})["m"] == "welcome"
    system.ampel("tenant", "suspend", "demo")

    def refused():
        answer = ask(socket, batch())
        return answer is None or (answer["m"] == "back" and answer["reason"] == "tenant")
    wait_until(refused, what="the suspension")
    system.ampel("tenant", "resume", "demo")
    fresh = connect(system, system.feed_port, keys(system))
    wait_until(lambda: (ask(fresh, batch(), 1500) or {}).get("m") == "ack", what="the return of the tenant")
    socket.close()
    fresh.close()


@pytest.mark.parametrize("message, reason", [
    (b"\xc1 no msgpack", "malformed"),
    (b"", "malformed"),
    (b"\xdd\xff\xff\xff\xff", "malformed"),
    (batch(v=99), "version"),
    ({key: value for key, value in batch().items() if key != "seq"}, "malformed"),
    (batch(seq=-1), "malformed"),
    (batch(seq="0"), "malformed"),
    (batch(rows="none"), "malformed"),
    (batch(columns={"account": b"\0\0\0\0", "type": b"\0\0", "at": b"\0" * 8}, rows=None), "malformed"),
    (batch(sequence=5000), "credit"),
    (batch(900, sent_at=AS_OF_MS + 86_400_001), "clock"),
    (batch(901, sent_at=AS_OF_MS - 29 * 86_400_000 - 1), "clock"),
])
def test_a_batch_that_cannot_be_taken_goes_back_whole_with_the_reason(system_started, message, reason):
    system = system_started
    socket = connect(system, system.feed_port, keys(system))
    answer = ask(socket, message)
    assert answer is not None and answer["m"] == "back" and answer["reason"] == reason, answer
    assert answer["text"]
    # The door stays open for the next one.
    assert ask(socket, {"v": 1, "m": "hello", "producer": "test"})["m"] == "welcome"
    socket.close()


@pytest.fixture(scope="module")
def system_started(cluster, tmp_path_factory):
    from system import System
    made = System(cluster, tmp_path_factory.mktemp("doors"), f"doors_{os.getpid()}")
    made.migrate().tenants("demo").start(*FLAGS)
    yield made
    made.close()


def test_an_oversized_message_costs_its_sender_the_connection_and_nobody_else_anything(system):
    system.start(*FLAGS)
    big = connect(system, system.feed_port, keys(system))
    other = connect(system, system.feed_port, keys(system))
    answer = ask(big, b"\0" * (17 << 20), 1500)
    assert answer is None or answer["reason"] == "too_large", answer
    assert ask(other, batch())["m"] == "ack"
    big.close()
    other.close()


def test_a_verdict_names_the_event_and_the_field(system):
    system.start(*FLAGS)
    socket = connect(system, system.feed_port, keys(system))
    rows = [[0, "order", AS_OF_MS, {"count": 1}], [0, "violation", AS_OF_MS, {"id": "v", "policy": "nope"}],
            [0, "dance", AS_OF_MS, {}]]
    answer = ask(socket, batch(rows=rows))
    assert answer["m"] == "ack" and answer["accepted"] == 1
    assert [row[:2] for row in answer["refused"]] == [[1, 6], [2, 1]], "unknown_name and bad_type of proto/WIRE.md"
    assert answer["refused"][0][2] == "policy"
    again = ask(socket, batch(rows=rows))
    assert again["duplicate"] and again["refused"] == answer["refused"]
    wait_until(lambda: system.rows("select verdict, event_index from ampel.refusal order by event_index") ==
               [{"verdict": "unknown_name", "event_index": 1}, {"verdict": "bad_type", "event_index": 2}])
    socket.close()


def test_a_broken_rules_file_stops_the_start_and_names_the_line(system):
    good = (TOP / "deploy/rules/amazon.yaml").read_text()
    for text, word in ((good.replace("start: 200", "start: plenty"), "start"),
                       (good + "surprise: 1\n", "surprise"), (good[:200], "amazon.yaml")):
        path = system.folder / "amazon.yaml"
        path.write_text(text)
        done = subprocess.run([str(BIN / "ampel-worker"), "--rules", str(path)], env=system.environment,
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20)
        assert done.returncode != 0
        assert word in done.stderr + done.stdout, done.stderr
        scored = system.ampel("score", GOLDEN / "basics.events.jsonl", "--rules", path, check=False)
        assert scored.returncode == 2 and word in scored.stderr


def test_a_broken_setting_is_named_with_its_source(system):
    def run(*flags, **environment):
        return subprocess.run([str(BIN / "ampel-worker"), *flags], env={**system.environment, **environment},
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20)
    done = run("--shards", "0")
    assert done.returncode != 0 and "shards" in done.stderr
    done = run(AMPEL_SHARDS="many")
    assert done.returncode != 0 and "AMPEL_SHARDS" in done.stderr
    path = lines(system.folder / "settings.conf", "shards = 1", "wings = 2")
    done = run("--settings", str(path))
    assert done.returncode != 0 and "wings" in done.stderr and ":2" in done.stderr


def test_a_database_that_is_away_at_the_start_is_waited_for(cluster, system):
    cluster.stop("immediate")
    try:
        system.start(*FLAGS, ready=False)
        wait_until(lambda: system.get("/readyz")[0] == 503)
        time.sleep(1)
        assert system.worker.poll() is None
        assert system.get("/healthz")[0] == 200
        assert "database" in system.get("/readyz")[1]
    finally:
        cluster.start()
    wait_until(system.ready, 30, "readiness")


def test_a_database_that_was_never_migrated_is_said(bare_system):
    bare_system.start(ready=False)

    def said():
        return bare_system.worker.poll() is not None or "migrat" in bare_system.get("/readyz")[1]
    wait_until(said, 20)
    if bare_system.worker.poll() is not None:
        assert "migrat" in bare_system.log_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="a small file system needs root")
def test_a_full_disk_sends_batches_back_and_loses_nothing(system):
    journal = system.folder / "journal"
    journal.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(journal)]).returncode != 0:
        pytest.skip("mount is not allowed here")
    try:
        system.environment["AMPEL_SEGMENT_BYTES"] = "2m"
        system.start(*FLAGS)
        ballast = journal / "ballast"
        with open(ballast, "wb") as file:
            try:
                while True:
                    file.write(b"\1" * 65536)
                    file.flush()
            except OSError:
                pass
        socket = connect(system, system.feed_port, keys(system))
        accounts = [[f"S{number}", "M1"] for number in range(1000)]
        rows = [[number, "order", AS_OF_MS, {"count": 200}] for number in range(1000)]
        acked, back, sequence = 0, None, 0
        while back is None and sequence < 200:
            answer = ask(socket, batch(sequence, accounts=accounts, rows=rows))
            assert answer is not None
            if answer["m"] == "ack":
                acked += 1
                sequence += 1
            else:
                back = answer
        assert back is not None and back["reason"] in ("log", "busy"), back
        assert back["retry_ms"] > 0
        assert system.worker.poll() is None, "a full disk does not end the process"
        ballast.unlink()
        wait_until(lambda: ask(socket, batch(sequence, accounts=accounts, rows=rows))["m"] == "ack", 30)
        socket.close()
        system.stop()
        assert system.sql("select min(orders) || ' ' || max(orders) from ampel.rating") == \
            f"{200 * (acked + 1)} {200 * (acked + 1)}"
    finally:
        if system.worker is not None:
            system.kill()
        subprocess.run(["umount", "-l", str(journal)])


def test_a_tenant_nobody_knows_has_no_keys_and_gets_none(system):
    for words in (("key", "nobody"), ("key", "nobody", "--new")):
        done = system.ampel("tenant", *words, check=False)
        assert done.returncode == 3 and "no tenant 'nobody'" in done.stderr, done.stderr
    assert not (system.folder / "keys" / "nobody.key").exists()


def test_a_metrics_address_that_is_none_is_told_as_such(system):
    system.start("--http-address", "nowhere", ready=False)
    assert system.worker.wait(20) == 1
    system.worker = None
    assert "must be HOST:PORT" in system.log_text()


def test_encode_says_why_its_file_is_not_whole(system):
    path = system.folder / "one.jsonl"
    path.write_text(json.dumps({**ACCOUNT, "type": "order", "at": AS_OF_MS}) + "\n")
    done = system.ampel("encode", path, "-o", "/dev/full", check=False)
    assert done.returncode == 3 and "No space left" in done.stderr, done.stderr


def test_a_key_file_that_others_can_read_is_warned_of(system):
    system.start().stop()
    assert "a key file can be read by others" not in system.log_text()
    key = system.folder / "keys" / "worker.key"
    key.chmod(0o640)
    system.start().stop()
    warnings = [json.loads(line) for line in system.log_text().splitlines() if "can be read by others" in line]
    assert len(warnings) == 1 and warnings[0]["level"] == "warn"
    assert warnings[0]["path"] == str(key) and warnings[0]["mode"] == "640"


def test_a_variable_that_nothing_reads_is_named_in_a_warning(system):
    system.environment["AMPEL_SHRADS"] = "2"
    system.start().stop()
    assert '"variable":"AMPEL_SHRADS"' in system.log_text() and "AMPEL_ENDPOINT\"" not in system.log_text()
    said = system.ampel("top", "--once").stderr
    assert said == "ampel: nothing reads the variable AMPEL_SHRADS of the environment\n"


def test_a_name_that_stands_twice_in_the_environment_file_is_refused_with_both_lines(system):
    path = system.folder / "twice.env"
    path.write_text("AMPEL_SHARDS=1\n# two\nAMPEL_KEYS=keys\nAMPEL_SHARDS=2\n")
    said = system.ampel("top", "--once", check=False, AMPEL_ENV=str(path))
    assert said.returncode == 2 and f"{path}:4: AMPEL_SHARDS is given twice, in line 1, too" in said.stderr


def test_top_of_a_tenant_nobody_knows_says_so_and_of_one_without_accounts_shows_none(system):
    done = system.ampel("top", "--once", "--tenant", "nobody", check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "ampel top: there is no tenant 'nobody'\n")
    system.ampel("top", "--once", "--tenant", "demo")

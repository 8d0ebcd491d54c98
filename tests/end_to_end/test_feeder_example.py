"""The example feeder against a worker that behaves badly: it loses answers, is busy, refuses."""

import os
import pathlib
import subprocess
import threading

import msgpack
import zmq

TOP = pathlib.Path(__file__).resolve().parents[2]
EVENTS = 2600  # six batches of 500, the last one short


class Worker(threading.Thread):
    """A ROUTER with CURVE that answers from a script: a function of what came and how often."""

    def __init__(self, folder, script):
        super().__init__(daemon=True)
        self.script, self.got, self.problems = script, [], []
        context = zmq.Context.instance()
        public, secret = zmq.curve_keypair()
        tenant_public, tenant_secret = zmq.curve_keypair()
        (folder / "demo.key").write_text(f"public {tenant_public.decode()}\nsecret {tenant_secret.decode()}\n"
                                         f"server {public.decode()}\n")
        self.socket = context.socket(zmq.ROUTER)
        self.socket.curve_server, self.socket.curve_publickey, self.socket.curve_secretkey = True, public, secret
        self.socket.linger = 0
        port = self.socket.bind_to_random_port("tcp://127.0.0.1")
        self.environment = dict(os.environ, AMPEL_ENDPOINT=f"tcp://127.0.0.1:{port}", AMPEL_KEYS=str(folder))
        self.ended = False

    def run(self):
        while not self.ended:
            if not self.socket.poll(20):
                continue
            peer, body = self.socket.recv_multipart()
            message = msgpack.unpackb(body)
            self.got.append((message, body))
            for answer in self.script(message, sum(body == before for _, before in self.got)):
                self.socket.send_multipart([peer, msgpack.packb(dict(answer, v=1, producer=message["producer"]))])
        self.socket.close()

    def batches(self):
        return [message["seq"] for message, _ in self.got if "m" not in message]


def welcome(next_sequence=0, credit=1024, done=()):
    return {"m": "welcome", "tenant": "demo", "next": next_sequence, "credit": credit, "done": list(done), "now": 0}


def ack(message, next_sequence, refused=()):
    return {"m": "ack", "seq": message["seq"], "accepted": len(message["rows"]) - len(refused), "duplicate": False,
            "next": next_sequence, "refused": list(refused)}


def run(tmp_path, script, status=0):
    worker = Worker(tmp_path, script)
    worker.start()
    path = tmp_path / "events.jsonl"
    path.write_text("".join(f'{{"seller":"S{i % 7}","marketplace":"DE","type":"order","at":1790858096789}}\n'
                            for i in range(EVENTS)))
    done = subprocess.run(["/usr/bin/python3", str(TOP / "proto/examples/feeder.py"), "demo", str(path)],
                          env=worker.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    worker.ended = True
    worker.join()
    assert done.returncode == status, done.stdout + done.stderr
    return worker, done


def test_everything_is_sent_once_where_all_goes_well(tmp_path):
    worker, done = run(tmp_path, lambda m, times: [welcome()] if "m" in m else [ack(m, m["seq"] + 1)])
    assert sorted(worker.batches()) == [0, 1, 2, 3, 4, 5]
    assert "accepted 2600, refused 0" in done.stdout
    assert worker.got[0][0] == {"v": 1, "m": "hello", "producer": "feeder.py-events.jsonl"}
    batch = worker.got[1][0]
    assert batch["accounts"][1] == ["S1", "DE"] and batch["rows"][1] == [1, "order", 1790858096789, {}]


def test_what_is_done_already_is_not_sent(tmp_path):
    worker, done = run(tmp_path, lambda m, times: [welcome(2, done=[4])] if "m" in m else [ack(m, 6)])
    assert sorted(worker.batches()) == [2, 3, 5]
    assert "done before 3" in done.stdout


def test_credit_is_kept(tmp_path):
    held = []

    def script(message, times):
        if "m" in message:
            return [welcome(credit=2)]
        held.append(message)
        assert len(held) <= 2
        if len(held) < 2 and message["seq"] < 5:
            return []
        answers = [ack(waiting, max(waiting["seq"] for waiting in held) + 1) for waiting in held]
        held.clear()
        return answers

    worker, _ = run(tmp_path, script)
    assert sorted(worker.batches()) == [0, 1, 2, 3, 4, 5]


def test_a_busy_worker_gets_the_same_bytes_again(tmp_path):
    def script(message, times):
        if "m" in message:
            return [welcome()]
        if message["seq"] == 1 and times < 3:
            return [{"m": "back", "seq": 1, "reason": "busy", "text": "", "retry_ms": 30}]
        return [ack(message, 0)]

    worker, _ = run(tmp_path, script)
    assert sorted(worker.batches()) == [0, 1, 1, 1, 2, 3, 4, 5]
    assert len({body for message, body in worker.got if message.get("seq") == 1}) == 1


def test_silence_is_met_with_hello_and_a_resend(tmp_path):
    lost = []

    def script(message, times):
        if "m" in message:
            return [welcome()]
        if message["seq"] == 3 and not lost:
            lost.append(3)
            return []
        return [ack(message, 0)]

    worker, _ = run(tmp_path, script)
    assert [message["m"] for message, _ in worker.got if "m" in message] == ["hello", "hello"]
    assert sorted(worker.batches()) == [0, 1, 2, 3, 3, 4, 5]


def test_refusals_are_told_and_the_exit_status_says_so(tmp_path):
    def script(message, times):
        if "m" in message:
            return [welcome()]
        if message["seq"] == 5:
            return [{"m": "back", "seq": 5, "reason": "clock", "text": "too old", "retry_ms": 0}]
        return [ack(message, 0, [[4, 9, "at"]] if message["seq"] == 2 else [])]

    _, done = run(tmp_path, script, status=1)
    assert "event 1005: verdict 9 at" in done.stderr
    assert "batch 5: clock: too old" in done.stderr
    assert "accepted 2499, refused 1, done before 0, given up 1" in done.stdout

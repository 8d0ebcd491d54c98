#!/usr/bin/python3
"""Feeds JSON Lines to Ampel: all that proto/WIRE.md asks of a feeder.

usage: feeder.py TENANT FILE      with AMPEL_ENDPOINT and AMPEL_KEYS in the environment

Batches follow from the file, which must not change, and the time of the first sending is kept in FILE.sent: a second run
sends the same bytes under the same numbers, so nothing counts twice. Needs python3-zmq and python3-msgpack.
"""
import json, os, pathlib, sys, time
import msgpack, zmq

EVENTS_A_BATCH, ANSWER_SECONDS = 500, 5


def batches(path, producer, sent_at):
    lines = [line for line in path.read_text().splitlines() if line.strip()]
    for seq, first in enumerate(range(0, len(lines), EVENTS_A_BATCH)):
        accounts, rows = {}, []
        for line in lines[first:first + EVENTS_A_BATCH]:
            event = json.loads(line)
            event.pop("tenant", None)  # the key decides
            account = event.pop("seller"), event.pop("marketplace")
            rows.append([accounts.setdefault(account, len(accounts)), event.pop("type"), event.pop("at"), event])
        yield seq, msgpack.packb({"v": 1, "producer": producer, "seq": seq, "sent_at": sent_at,
                                  "accounts": list(accounts), "rows": rows})


def connect(tenant):
    words = pathlib.Path(os.environ["AMPEL_KEYS"], tenant + ".key").read_text().split()
    keys = dict(zip(words[::2], words[1::2]))
    socket = zmq.Context.instance().socket(zmq.DEALER)
    socket.curve_publickey, socket.curve_secretkey = keys["public"].encode(), keys["secret"].encode()
    socket.curve_serverkey = keys["server"].encode()
    socket.linger = 0
    socket.connect(os.environ["AMPEL_ENDPOINT"])
    return socket


def feed(socket, producer, waiting):
    """Sends every batch of waiting until each is acked, or refused for good; returns what became of them."""
    count = {"accepted": 0, "refused": 0, "done before": 0, "given up": 0}
    send_at, limit, credit, heard_at = {}, 0, 0, 0.0
    while waiting:
        now = time.monotonic()
        if now - heard_at > ANSWER_SECONDS:  # the start, or a connection that broke
            socket.send(msgpack.packb({"v": 1, "m": "hello", "producer": producer}))
            send_at, limit, heard_at = {}, 0, now
        for seq in sorted(seq for seq in waiting if seq < limit and send_at.get(seq, 0.0) <= now):
            socket.send(waiting[seq])
            send_at[seq] = float("inf")  # until an answer says otherwise
        if not socket.poll(50):
            continue
        answer, heard_at = msgpack.unpackb(socket.recv()), time.monotonic()
        kind, seq = answer["m"], answer.get("seq")
        if kind == "welcome":
            credit, limit = answer["credit"], answer["next"] + answer["credit"]
            done = [seq for seq in waiting if seq < answer["next"] or seq in answer["done"]]
            count["done before"] += len(list(map(waiting.pop, done)))
        elif kind == "ack" and waiting.pop(seq, None):
            limit = max(limit, answer["next"] + credit)
            count["accepted"] += answer["accepted"]
            count["refused"] += len(answer["refused"])
            for index, verdict, field in answer["refused"]:
                print(f"event {seq * EVENTS_A_BATCH + index + 1}: verdict {verdict} {field}", file=sys.stderr)
        elif kind == "back" and answer["retry_ms"] > 0:
            send_at[seq] = heard_at + answer["retry_ms"] / 1000
        elif kind == "back":
            print(f"batch {seq}: {answer['reason']}: {answer['text']}", file=sys.stderr)
            count["given up"] += 1
            if waiting.pop(seq, None) is None:  # nothing that was sent: the tenant itself is not wanted
                break
    return count


def main():
    tenant, path = sys.argv[1], pathlib.Path(sys.argv[2])
    kept = pathlib.Path(f"{path}.sent")
    if not kept.exists():  # before the first sending, and never again
        kept.write_text(os.environ.get("AMPEL_SENT_AT", str(time.time_ns() // 1000000)))
    producer = f"feeder.py-{path.name}"[:64]
    count = feed(connect(tenant), producer, dict(batches(path, producer, int(kept.read_text()))))
    print(", ".join(f"{name} {number}" for name, number in count.items()))
    return 1 if count["refused"] or count["given up"] else 0


if __name__ == "__main__":
    sys.exit(main())

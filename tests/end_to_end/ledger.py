#!/usr/bin/python3
"""A feeder with a ledger: what it sent and what was acked stands in a file before and after each word to the worker.

usage: ledger.py FOLDER NAME SENT_AT_MS [--canary lose|double]     AMPEL_ENDPOINT and AMPEL_KEYS in the environment

A batch follows from its feeder's name and its sequence alone, so a feeder that was killed sends the same bytes again. Each
batch counts 8 to the power of (sequence modulo 8) orders to three accounts that it shares with its seven neighbours: the digits of
their orders, in base 8, tell how often each of the eight was applied. The other events are load for accounts that all share.
Once FOLDER/settle is there it makes no new batches and ends when all that it sent is acked.
"""

import json
import os
import pathlib
import random
import sys
import time

LEDGER_ACCOUNTS, LOAD_EVENTS, LOAD_ACCOUNTS, GROUP = 3, 117, 300, 8
BATCH_EVENTS = LEDGER_ACCOUNTS + LOAD_EVENTS
IN_FLIGHT, SILENCE_SECONDS = 48, 0.4
MARKETPLACE = "M1"


def ledger_account(name, sequence, number):
    return f"L-{name}-{sequence // GROUP}-{number}"


def events(name, sequence, sent_at_ms):
    """(seller, type, at, fields) of one batch."""
    dice = random.Random(f"{name}/{sequence}")
    for number in range(LEDGER_ACCOUNTS):
        yield ledger_account(name, sequence, number), "order", sent_at_ms, {"count": GROUP ** (sequence % GROUP)}
    for number in range(LOAD_EVENTS):
        seller = f"S{dice.randrange(LOAD_ACCOUNTS)}"
        at = sent_at_ms - dice.randrange(100 * 86_400_000)
        if dice.random() < 0.03:
            yield seller, "violation", at, {"id": f"{name}-{sequence}-{number}", "policy": "listing_policy"}
        else:
            yield seller, "order", at, {"count": dice.randrange(1, 4)}


def lines(name, sequence, sent_at_ms):
    """The same as JSON Lines, for ampel encode."""
    for seller, kind, at, fields in events(name, sequence, sent_at_ms):
        yield json.dumps({"seller": seller, "marketplace": MARKETPLACE, "type": kind, "at": at, **fields}) + "\n"


def batch(name, sequence, sent_at_ms, as_sequence=None):
    import msgpack
    accounts, rows = {}, []
    for seller, kind, at, fields in events(name, sequence, sent_at_ms):
        rows.append([accounts.setdefault((seller, MARKETPLACE), len(accounts)), kind, at, fields])
    return msgpack.packb({"v": 1, "producer": name, "seq": sequence if as_sequence is None else as_sequence,
                          "sent_at": sent_at_ms, "accounts": list(accounts), "rows": rows})


class Ledger:
    """One line a fact; write() is enough, as the machine does not die here."""

    def __init__(self, folder, name):
        self.path = pathlib.Path(folder) / f"{name}.ledger"
        self.file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.sent, self.acked = read(self.path)

    def note_sent(self, *sequences):
        os.write(self.file, "".join(f"s{one}\n" for one in sequences).encode())
        self.sent.update(sequences)

    def note_acked(self, *sequences):
        os.write(self.file, "".join(f"a{one}\n" for one in sequences).encode())
        self.acked.update(sequences)


def read(path):
    facts = {"s": set(), "a": set()}
    for line in pathlib.Path(path).read_text().splitlines():
        facts[line[0]].add(int(line[1:]))
    return facts["s"], facts["a"]


class Feeder:
    def __init__(self, folder, name, sent_at_ms, canary):
        import zmq
        self.zmq, self.name, self.sent_at_ms, self.canary = zmq, name, sent_at_ms, canary
        self.ledger, self.settle_path = Ledger(folder, name), pathlib.Path(folder) / "settle"
        self.limit, self.credit, self.heard_at, self.socket = 0, 0, 0.0, None
        self.waiting = {one: self.encode(one) for one in sorted(self.ledger.sent - self.ledger.acked)}
        self.fresh = max(self.ledger.sent, default=-1) + 1
        self.dice = random.Random()

    def encode(self, sequence):
        if self.canary == "double" and sequence == 3:
            return batch(self.name, 2, self.sent_at_ms, as_sequence=3)
        return batch(self.name, sequence, self.sent_at_ms)

    def connect(self):
        words = pathlib.Path(os.environ["AMPEL_KEYS"], "demo.key").read_text().split()
        keys = {word: words[words.index(word) + 1].encode() for word in ("public", "secret", "server")}
        if self.socket is not None:
            self.socket.close()
        socket = self.socket = self.zmq.Context.instance().socket(self.zmq.DEALER)
        socket.curve_publickey, socket.curve_secretkey, socket.curve_serverkey = (
            keys["public"], keys["secret"], keys["server"])
        socket.linger, socket.reconnect_ivl, socket.sndhwm = 0, 10, 1000
        socket.connect(os.environ["AMPEL_ENDPOINT"])

    def send(self, message):
        try:
            self.socket.send(message, self.zmq.NOBLOCK)
        except self.zmq.Again:
            pass  # as if it had been lost on the way; silence is met with hello

    def send_batch(self, sequence):
        if not (self.canary == "lose" and sequence == 3):
            self.send(self.waiting[sequence])

    def hello(self):
        import msgpack
        self.limit, self.heard_at = 0, time.monotonic()
        self.send(msgpack.packb({"v": 1, "m": "hello", "producer": self.name}))

    def make(self):
        """New batches as far as credit goes. The ledger knows of them before anybody else does."""
        made = []
        while len(self.waiting) < IN_FLIGHT and self.fresh < self.limit:
            made.append(self.fresh)
            self.waiting[self.fresh] = self.encode(self.fresh)
            self.fresh += 1
        if not made:
            return
        self.ledger.note_sent(*made)
        for sequence in made:
            self.send_batch(sequence)

    def take(self, answer):
        kind, sequence = answer["m"], answer.get("seq")
        if kind == "welcome":
            self.credit, self.limit = answer["credit"], answer["next"] + answer["credit"]
            done = [one for one in self.waiting if one < answer["next"] or one in answer["done"]]
            self.settle(done)
            for one in self.waiting:
                self.send_batch(one)
        elif kind == "ack" and sequence in self.waiting:
            self.limit = max(self.limit, answer["next"] + self.credit)
            assert answer["accepted"] == BATCH_EVENTS and not answer["refused"], answer
            if self.dice.random() < 0.02:
                self.send_batch(sequence)  # an ack that got lost, a feeder that is afraid
            self.settle([sequence])
        elif kind == "back":
            assert answer["retry_ms"] > 0 or answer["reason"] == "credit", answer
            self.heard_at = min(self.heard_at, time.monotonic() - SILENCE_SECONDS + answer["retry_ms"] / 1000)

    def settle(self, sequences):
        if self.canary == "lose" and 4 in sequences and 3 in self.waiting:
            sequences = [*sequences, 3]
        self.ledger.note_acked(*sequences)
        for one in sequences:
            del self.waiting[one]

    def run(self):
        import msgpack
        self.connect()
        self.hello()
        while True:
            if not self.settle_path.exists():
                self.make()
            elif not self.waiting:
                return
            if self.socket.poll(20):
                self.heard_at = time.monotonic()
                while self.socket.poll(0):
                    self.take(msgpack.unpackb(self.socket.recv()))
            elif time.monotonic() - self.heard_at > SILENCE_SECONDS:
                if self.dice.random() < 0.2:
                    self.connect()
                self.hello()


def main():
    canary = sys.argv[5] if len(sys.argv) > 5 else None
    Feeder(sys.argv[1], sys.argv[2], int(sys.argv[3]), canary).run()


if __name__ == "__main__":
    main()

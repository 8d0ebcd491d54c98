"""Load on a whole Ampel that can be judged: feeders with ledgers, some of which die, and what PostgreSQL must hold at the end."""

import collections
import subprocess
import time

import ledger
from system import BIN, TOP

FILE_BATCHES = 40
VERIFY_SECONDS_MAX = 3600  # a long run's load on a busy machine
PROGRAM = TOP / "tests" / "end_to_end" / "ledger.py"


class Scripted:
    """ledger.py, which dies and comes back."""

    def __init__(self, system, name, sent_at_ms, canary=None):
        self.system, self.name = system, name
        self.words = ["/usr/bin/python3", str(PROGRAM), str(system.folder), name, str(sent_at_ms)]
        self.words += ["--canary", canary] if canary else []
        (system.folder / f"{name}.ledger").touch()
        self.process = None

    def start(self):
        if self.process is None:
            self.process = subprocess.Popen(self.words, env=self.system.environment, cwd=self.system.folder)

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def turn(self):
        self.start()
        assert self.process.poll() is None, f"feeder {self.name} ended with {self.process.returncode}"

    def settle(self):
        self.start()
        status = self.process.wait(120)
        assert status == 0, f"feeder {self.name} ended with {status}"
        self.process = None


class Encoded:
    """`ampel feed` with one encoded file after another under one producer."""

    def __init__(self, system, name, sent_at_ms):
        self.system, self.name, self.sent_at_ms = system, name, sent_at_ms
        self.ledger = ledger.Ledger(system.folder, name)
        self.first, self.path, self.process = 0, None, None

    def encode(self):
        sequences = range(self.first, self.first + FILE_BATCHES)
        source = self.system.folder / f"{self.name}.jsonl"
        with open(source, "w", encoding="utf-8") as file:
            for sequence in sequences:
                file.writelines(ledger.lines(self.name, sequence, self.sent_at_ms))
        self.path = self.system.folder / f"{self.name}-{self.first}.ampel"
        self.system.ampel("encode", source, "-o", self.path, "--tenant", "demo", "--producer", self.name, "--first",
                          self.first, "--sent-at", self.sent_at_ms, "--batch-events", ledger.BATCH_EVENTS)
        self.ledger.note_sent(*sequences)

    def start(self):
        if self.path is None:
            self.encode()
        if self.process is None:
            self.process = subprocess.Popen([str(BIN / "ampel"), "feed", str(self.path)], env=self.system.environment,
                                            cwd=self.system.folder, stdout=subprocess.DEVNULL)

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def turn(self):
        self.start()
        if self.process.poll() is not None:
            self.done()
            self.start()

    def done(self):
        assert self.process.returncode == 0, f"ampel feed ended with {self.process.returncode}"
        self.ledger.note_acked(*range(self.first, self.first + FILE_BATCHES))
        for left in self.system.folder.glob(f"{self.path.name}*"):
            left.unlink()
        self.first, self.path, self.process = self.first + FILE_BATCHES, None, None

    def settle(self):
        self.start()
        self.process.wait(120)
        self.done()


def rest(feeders, seconds):
    """Lets the feeders work, and starts again those that ended."""
    until = time.monotonic() + seconds
    while True:
        for feeder in feeders:
            feeder.turn()
        left = until - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, 0.05))


def digits(system):
    """How often each batch was applied, as each of its ledger accounts says, and the orders of the others."""
    counts, shared = collections.defaultdict(lambda: [0] * ledger.LEDGER_ACCOUNTS), {}
    for line in system.sql("select seller || ' ' || orders from ampel.rating").splitlines():
        seller, orders = line.split()
        if not seller.startswith("L-"):
            shared[seller] = int(orders)
            continue
        _, name, group, number = seller.split("-")
        for place in range(ledger.GROUP):
            counts[name, int(group) * ledger.GROUP + place][int(number)] = int(orders) >> (3 * place) & 7
    return counts, shared


def judge(system, names, sent_at_ms):
    """(acked, lost, doubled) and whether all else adds up, too."""
    counts, shared = digits(system)
    acked_count = lost = doubled = 0
    expected, right, known = collections.Counter(), True, set()
    for name in names:
        sent, acked = ledger.read(system.folder / f"{name}.ledger")
        acked_count += len(acked)
        known |= {(name, one) for one in sent}
        for one in sorted(sent):
            times = counts[name, one]
            if min(times) < 1 and one in acked:
                lost += 1
                print(f"lost: batch {one} of {name}, applied {times}")
            elif min(times) != max(times):
                right = False
                print(f"in part: batch {one} of {name}, applied {times}")
            if max(times) > 1:
                doubled += 1
                print(f"doubled: batch {one} of {name}, applied {times}")
            for seller, kind, _, fields in ledger.events(name, one, sent_at_ms):
                if seller in shared and kind == "order":
                    expected[seller] += fields["count"] * min(times)
    for key, times in counts.items():
        if any(times) and key not in known:
            right = False
            print(f"never sent: batch {key[1]} of {key[0]}, applied {times}")
    if lost == doubled == 0 and dict(expected) != {seller: orders for seller, orders in shared.items() if orders}:
        right = False
        print("the orders of the shared accounts are not those of the applied batches")
    for table in ("alert", "rating_history"):
        total, distinct = system.sql(f"select count(*) || ' ' || count(distinct id) from ampel.{table}").split()
        if total != distinct:
            right = False
            print(f"something in {table} is stored twice: {total} rows, {distinct} ids")
    since = time.monotonic()
    verified = system.ampel("verify", "--exact", check=False, timeout=VERIFY_SECONDS_MAX)
    print(f"{verified.stdout}{verified.stderr}verified in {time.monotonic() - since:.0f} s")
    return acked_count, lost, doubled, right and verified.returncode == 0


class Load:
    """Two scripted feeders and one of encoded files. To be settled while the worker runs, and judged once it has stopped."""

    def __init__(self, system):
        self.system, self.sent_at_ms = system, time.time_ns() // 1_000_000
        self.feeders = [Scripted(system, "f0", self.sent_at_ms), Scripted(system, "f1", self.sent_at_ms),
                        Encoded(system, "e0", self.sent_at_ms)]

    def rest(self, seconds):
        rest(self.feeders, seconds)

    def acked(self):
        return sum(len(ledger.read(self.system.folder / f"{feeder.name}.ledger")[1]) for feeder in self.feeders[:2])

    def settle(self):
        (self.system.folder / "settle").touch()
        for feeder in self.feeders:
            feeder.settle()

    def kill(self):
        for feeder in self.feeders:
            feeder.kill()

    def judge(self):
        return judge(self.system, [feeder.name for feeder in self.feeders], self.sent_at_ms)

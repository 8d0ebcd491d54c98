"""Seconds, processor seconds and peak memory of a tree of processes."""

import os
import pathlib
import threading
import time

TICKS = os.sysconf("SC_CLK_TCK")


def tree(roots):
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            rest = stat[stat.rindex(")") + 2:].split()
            parents[int(entry.name)] = (int(rest[1]), rest)
    found, grows = set(roots) & parents.keys(), True
    while grows:
        more = {pid for pid, (parent, _) in parents.items() if parent in found} - found
        found |= more
        grows = bool(more)
    return {pid: parents[pid][1] for pid in found}


def processor_seconds(roots):
    """Of the processes and of their children that are gone."""
    return sum(sum(int(rest[i]) for i in (11, 12, 13, 14)) for rest in tree(roots).values()) / TICKS


def memory_bytes(roots):
    total = 0
    for pid in tree(roots):
        try:
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        except OSError:
            pass
    return total


class Meter:
    """with Meter(pids) as meter: ...; then meter.seconds, meter.processor_seconds, meter.memory_bytes (the peak)."""

    def __init__(self, roots):
        self.roots, self.memory_bytes = list(roots), 0

    def watch(self):
        while not self.ended.wait(0.1):
            self.memory_bytes = max(self.memory_bytes, memory_bytes(self.roots))

    def __enter__(self):
        self.ended = threading.Event()
        self.watcher = threading.Thread(target=self.watch, daemon=True)
        self.processor_before, self.before = processor_seconds(self.roots), time.monotonic()
        self.watcher.start()
        return self

    def __exit__(self, *_):
        self.seconds = time.monotonic() - self.before
        self.processor_seconds = processor_seconds(self.roots) - self.processor_before
        self.memory_bytes = max(self.memory_bytes, memory_bytes(self.roots))
        self.ended.set()
        self.watcher.join()

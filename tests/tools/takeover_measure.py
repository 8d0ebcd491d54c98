#!/usr/bin/env python3
"""Measures what `ampel replay` suspects of a year that takeover_year.py or takeover_other.py made, by setting.

    takeover_measure.py --ampel build/bin/ampel --variant everyday --variant other --seed 1 --seed 2 [--accounts N] [--setting NAME=KEY=VALUE,...]

For each setting one line: takeovers found of all (a suspicion told from the first step of the intruder until
ten days after the last), by kind; minutes from the second signal's cause to the first suspicion, median and
95th percentile; suspicions of anybody else, for each 1 000 account-months. The second signal's cause is the
step of the intruder with which two kinds of two groups had been given cause for: before it no tool that asks
for two may say anything. --second any takes the second kind of whatever group instead.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(__file__))
import takeover_other  # noqa: E402
import takeover_year  # noqa: E402

END = "2027-02-01T00:00:00Z"


def replay(ampel, events, sets):
    """The suspicions told, each once: (account, first told)."""
    command = [ampel, "replay", events, "--alerts", "--format", "jsonl", "--until", END]
    for one in sets:
        command += ["--set", one]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: {done.returncode}\n{done.stderr[:2000]}")
    suspicions = {}
    for line in done.stdout.splitlines():
        if '"kind":"takeover_suspected"' not in line:
            continue
        told = json.loads(line)
        key = (f"{told['tenant']}/{told['seller']}/{told['marketplace']}", told["since"])
        suspicions.setdefault(key, []).append(told)
    return suspicions


def milliseconds(text):
    from datetime import datetime
    return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def second_cause(causes, any_group):
    """When two kinds of two groups had been given cause for; None where the intruder never did."""
    kinds, groups = set(), set()
    for at, kind, group in causes:
        kinds.add(kind)
        groups.add(group)
        if len(kinds) >= 2 and (any_group or len(groups) >= 2):
            return at
    return None


def percentile(values, share):
    return values[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


def judge(suspicions, takeovers, summary, any_group):
    waiting = {}
    for one in takeovers:
        waiting.setdefault(one["account"], []).append(one)
    found, false = {}, []
    for (account, since), told in sorted(suspicions.items(), key=lambda item: item[0][1]):
        at = milliseconds(since)
        of = [one for one in waiting.get(account, []) if one["from"] <= at <= one["until"]]
        if of:
            found.setdefault((account, of[0]["from"]), (at, of[0]))
        else:
            false.append((account, since, told))
    delays = []
    for at, one in found.values():
        second = second_cause(one["causes"], any_group)
        delays.append(max(0, at - second) / 60_000 if second is not None else 0)
    delays.sort()
    kinds = {}
    for one in takeovers:
        kinds.setdefault(one["type"], [0, 0])[1] += 1
    for _, one in found.values():
        kinds[one["type"]][0] += 1
    missed = [one for one in takeovers if (one["account"], one["from"]) not in found]
    return {
        "found": len(found), "takeovers": len(takeovers), "kinds": kinds,
        "median": percentile(delays, 0.5), "p95": percentile(delays, 0.95),
        "false": len(false), "rate": 1000 * len(false) / (summary["accounts"] * summary["months"]),
        "missed": missed, "false_list": false,
    }


def row(name, result):
    kinds = ", ".join(f"{kind} {found}/{all_}" for kind, (found, all_) in sorted(result["kinds"].items()))
    share = 100 * result["found"] / max(1, result["takeovers"])
    return (f"| {name} | {share:.1f} % ({kinds}) | {result['median']:.0f} | {result['p95']:.0f} "
            f"| {result['false']} | {result['rate']:.2f} |")


def combinations(false_list):
    counts = {}
    for _, _, told in false_list:
        key = " + ".join(sorted(signal["kind"] for signal in told[0]["signals"]))
        counts[key] = counts.get(key, 0) + 1
    return sorted(counts.items(), key=lambda item: -item[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ampel", default="build/bin/ampel")
    parser.add_argument("--variant", action="append", help="of takeover_year.py, or other: takeover_other.py")
    parser.add_argument("--seed", action="append")
    parser.add_argument("--accounts", type=int, default=5000)
    parser.add_argument("--takeovers", type=int, default=100)
    parser.add_argument("--setting", action="append", default=[], help="NAME:KEY=VALUE,KEY=VALUE")
    parser.add_argument("--second", choices=("group", "any"), default="group")
    parser.add_argument("--explain", action="store_true", help="what false alarms and misses are made of")
    parser.add_argument("--keep", help="a directory in which events are kept and found again")
    arguments = parser.parse_args()
    settings = [("defaults", [])]
    for one in arguments.setting:
        name, _, sets = one.partition(":")
        settings.append((name, [key for key in sets.split(",") if key]))
    with tempfile.TemporaryDirectory() as scratch:
        place = arguments.keep or scratch
        years = [(variant, seed) for variant in arguments.variant or ["everyday"] for seed in arguments.seed or ["1"]]
        for variant, seed in years:
            stem = os.path.join(place, f"{variant}-{seed}-{arguments.accounts}-{arguments.takeovers}")
            events, truth = stem + ".jsonl", stem + ".truth"
            if not os.path.exists(truth):
                maker = takeover_other if variant == "other" else takeover_year
                maker.make(variant, seed, arguments.accounts, arguments.takeovers, events, truth)
            with open(truth, encoding="ascii") as file:
                summary, *takeovers = [json.loads(line) for line in file]
            print(f"\n{variant}, seed {seed}: {summary['accounts']} accounts, {len(takeovers)} taken over")
            print("| setting | found | median min | p95 min | false | per 1 000 account-months |")
            print("|---|---|---|---|---|---|", flush=True)
            for name, sets in settings:
                result = judge(replay(arguments.ampel, events, sets), takeovers, summary,
                               arguments.second == "any")
                print(row(name, result), flush=True)
                if arguments.explain:
                    for key, count in combinations(result["false_list"])[:12]:
                        print(f"    false {count}: {key}")
                    for one in result["missed"][:12]:
                        print(f"    missed {one['type']}: {', '.join(kind for _, kind, _ in one['causes'])}")


if __name__ == "__main__":
    main()

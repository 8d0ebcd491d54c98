"""docs/PERFORMANCE.md of what was measured."""

import json
import os
import pathlib
import platform
import re
import subprocess

from figures import FIGURES, met
from plot import short, svg

TOP = pathlib.Path(__file__).resolve().parents[1]


def line_of(path, pattern):
    found = re.search(pattern, pathlib.Path(path).read_text(), re.M)
    return found.group(1).strip() if found else "unknown"


def version_of(command, pattern=r"(\d+\.\d+(\.\d+)?)"):
    try:
        text = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout
    except OSError:
        return "unknown"
    found = re.search(pattern, text)
    return found.group(1) if found else "unknown"


def machine():
    gib = int(line_of("/proc/meminfo", r"^MemTotal:\s+(\d+)")) / 2**20
    return {
        "processor": line_of("/proc/cpuinfo", r"^model name\s*:(.*)$"),
        "cores": os.cpu_count(),
        "memory": f"{gib:.0f} GiB",
        "kernel": platform.release(),
        "compiler": "gcc " + version_of(["gcc", "--version"], r"(\d+\.\d+\.\d+)"),
        "PostgreSQL": version_of(["/usr/lib/postgresql/15/bin/postgres", "--version"]),
    }


def table(heads, rows):
    out = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return "\n".join(out + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows])


def figures_table(results):
    rows = []
    for name, (title, unit, goal, _) in FIGURES.items():
        figure = results.get(name)
        if figure is None:
            rows.append((f"`{name}`", title, "missing", f"{short(goal)} {unit}", "", "", "", "", "", ""))
            continue
        limit = f"{short(figure['limit'])} {figure['unit']}" if "limit" in figure else ""
        ratio = f"{figure['ratio']:.2f}" if "ratio" in figure else ""
        rows.append((f"`{name}`", title, f"{short(figure['value'])} {figure['unit']}", f"{short(figure['goal'])} {unit}",
                     "yes" if met(figure) else "**no**", limit, ratio, figure.get("load_average", ""),
                     figure.get("stolen_percent", ""), figure.get("revision", "older")))
    return table(("figure", "what", "value", "goal", "reached", "limit", "ratio", "load", "stolen %", "of"), rows)


def peers_table(found):
    """Of what bench/peers/run told: every peer gave Ampel's ratings, or it is not here."""
    rows = []
    for one in found.values():
        besides = ", ".join(f"{text} {one[key]}" for key, text in (
            ("load_seconds", "loading took, in s,"), ("ratings_read_seconds", "ratings took, in s,"), ("batch", "events a batch")) if key in one)
        rows.append((one["title"], short(one["value"]), one["cores"], one["memory_mb"], besides))
    return table(("the same events, the same ratings", "events/s", "cores", "MB", "besides"), rows)


def peers_text(folder):
    path = folder / "peers.json"
    if not path.exists():
        return "Not measured yet: `bench/peers/run`."
    found = json.loads(path.read_text())
    one = next(iter(found.values()))
    return f"{short(one['events'])} events of {short(one['accounts'])} accounts, nine orders to one violation.\n\n{peers_table(found)}"


def busy_text(results):
    most = max((figure.get("load_average", 0) for figure in results.values()), default=0)
    stolen = max((figure.get("stolen_percent", 0) for figure in results.values()), default=0)
    if most <= 2 * os.cpu_count() and stolen < 5:
        return ""
    return (f"**The machine was not ours alone** while some of these were taken (load up to {most} on {os.cpu_count()} cores, up to {stolen} % "
            "of their time taken by its host for others): rates and latencies by "
            "the wall clock are what was left over, not what the machine or Ampel can do; `core` and `ns of one core` are processor time "
            "and less affected. To be repeated on a quiet machine.\n\n")


def remarks(results):
    def remark(figure):
        calmest = f"the calmest of {figure['tries']} times" if "tries" in figure else ""
        return "; ".join(part for part in (figure.get("note"), calmest) if part)
    return "\n".join(f"- `{name}`: {remark(figure)}" for name, figure in results.items() if remark(figure))


def series_text(series, pictures):
    out = []
    for name, one in series.items():
        path = pictures / f"{name}.svg"
        path.write_text(svg(one["title"], one["x"], one["y"], {line: [tuple(p) for p in points]
                                                               for line, points in one["lines"].items()}))
        xs = sorted({x for points in one["lines"].values() for x, _ in points})
        rows = [[short(x)] + [short(dict(map(tuple, points)).get(x)) if x in dict(map(tuple, points)) else ""
                              for points in one["lines"].values()] for x in xs]
        out.append(f"### {one['title']}\n\n{one.get('text', '')}\n\n{table([one['x']] + list(one['lines']), rows)}\n\n"
                   f"![{one['title']}](performance/{name}.svg)\n")
    return "\n".join(out)


def parts_text(folder):
    """What Google Benchmark said of each part."""
    out = []
    for path in sorted(folder.glob("bench_*.json")):
        try:
            found = json.loads(path.read_text())["benchmarks"]
        except (ValueError, KeyError):
            continue
        rows = []
        for one in found:
            rates = [f"{short(one[key])} {unit}" for key, unit in (("items_per_second", "items/s"), ("bytes_per_second", "B/s"))
                     if key in one]
            rows.append((f"`{one['name']}`", f"{one['real_time']:.4g} {one['time_unit']}", f"{one['cpu_time']:.4g} {one['time_unit']}",
                         ", ".join(rates)))
        if rows:
            out.append(f"### {path.stem}\n\n{table(('part', 'time', 'of one core', 'rate'), rows)}\n")
    return "\n".join(out)


def write(results, series, folder, commands):
    pictures = TOP / "docs" / "performance"
    pictures.mkdir(exist_ok=True)
    notes = "\n".join(path.read_text().strip() + "\n" for path in sorted((TOP / "bench" / "notes").glob("*.md")))
    text = f"""# Performance

Written by `bench/run`; figures are of single runs, one after another on one machine, and the same binary drifts by up to 30 % between runs, so each goal has a
ratio beside it where there is a limit measured in the same run. Nothing here is estimated: what was not measured is missing by name.

## Machine

{table(("what", "value"), machine().items())}

## Commands

{commands}

## Figures

*limit* is what the machine, or the slowest stage alone, did in the same run; *ratio* is value by limit; *load* is the machine's load
average when the figure was taken: above some 3 on two cores others were working, too, and a rate by the wall clock is lower than it would be alone; *stolen* is the share of all cores' time that a virtual machine's host gave to others meanwhile, where the figure was taken since that is measured; *of* is the revision that it was taken of.

{busy_text(results)}{figures_table(results)}

{remarks(results)}

## Beside what an agency would use instead

{peers_text(folder)}

## Cost grows as work grows

{series_text(series, pictures) or "Not measured in this run: `bench/run --only growth`."}

## Parts

{parts_text(folder)}
{notes}"""
    (TOP / "docs" / "PERFORMANCE.md").write_text(re.sub(r"\n{3,}", "\n\n", text))

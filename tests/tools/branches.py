#!/usr/bin/python3
"""What gcovr counted, told by kind: branches taken, and for those that nothing took why.

usage: tests/tools/branches.py TOP COVERAGE.json [--rest]     --rest names each line of the last kind

A branch not taken is sorted by the words of its line; where a line fits several kinds it counts as the first.
"""

import collections
import json
import pathlib
import re
import sys

# (kind, what it is, words of its lines). Order matters.
KINDS = (
    ("memory", "no memory there",
     r"NULL\b(?!\.)|NO_MEMORY|no_memory|poisoned|there is no memory|AMPEL_SLOT_NONE\b.*return|UINT32_MAX\) return|"
     r"if \(!(ampel_\w*|\w+_)(put|push|grow|reserve|claim|set|tell|add|take|make|init|name|fill|run|refused|merge|warn|show|import|double)\w*\(|"
     r"&& !?\w*(_push|_put|_grow|_double|_tell|tell)\(|realloc|calloc|malloc"),
    ("check", "a check of the program by itself that would have to find it broken",
     r"_sane\(|heap_place|wheel_|previous|order\[i|rank_count|occupied|due_before|compare\(block"),
    ("bound", "a bound that the wire, the registry or the caller's own bound keeps away",
     r"_MAX\b|INT64_MIN|INT64_MAX|SIZE_MAX|_COUNT\b|capacity|\.size > 0\)|size > 0 \?|fits\b"),
    ("both", "one of several conditions in one line, the others taken both ways", r"&&|\|\|"),
)


def kind_of(line):
    return next((kind for kind, _, words in KINDS if re.search(words, line)), "rest")


def main():
    top, rest_wanted = pathlib.Path(sys.argv[1]), "--rest" in sys.argv
    total, kinds, rest, files = 0, collections.Counter(), [], collections.Counter()
    for file in json.loads(pathlib.Path(sys.argv[2]).read_text())["files"]:
        source = (top / file["file"]).read_text().split("\n")
        for line in file["lines"]:
            text = source[line["line_number"] - 1].strip()
            branches = line.get("branches", [])
            if "AMPEL_ASSERT" in text:
                continue
            total += len(branches)
            left = sum(branch["count"] == 0 for branch in branches)
            if left == 0:
                continue
            kinds[kind_of(text)] += left
            files[file["file"]] += left
            if kind_of(text) == "rest":
                rest.append(f"{file['file']}:{line['line_number']}: {left} of {len(branches)}: {text}")
    left = sum(kinds.values())
    print(f"branches without those of asserts: {total}, taken {total - left} ({100 * (total - left) / total:.1f} %), not taken {left}")
    for kind, what, _ in (*KINDS, ("rest", "none of these", "")):
        print(f"  {kinds[kind]:5}  {100 * kinds[kind] / total:4.1f} %  {what}")
    print("files with most of them: " + ", ".join(f"{name} {count}" for name, count in files.most_common(8)))
    if rest_wanted:
        print("\n".join(rest))


if __name__ == "__main__":
    main()

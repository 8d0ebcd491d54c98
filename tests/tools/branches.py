#!/usr/bin/python3
"""What gcovr counted, told by kind: branches taken, and for those that nothing took why.

usage: tests/tools/branches.py TOP COVERAGE.json [--rest]     --rest names each line of the last kind

A branch not taken is sorted by the words of its line; where a line fits several kinds it counts as the first. Lines that fit none
have a reason of their own in REASONS.
"""

import collections
import json
import pathlib
import re
import sys

# (kind, what it is, words of its lines). Order matters.
KINDS = (
    ("inlined", "a copy of an inlined function, for a width or for columns that the compiler knows there",
     r"\bfull\)|width =="),
    ("memory", "no memory there, or nothing where there is always something",
     r"NULL\b(?!\.)|NO_MEMORY|no_memory|poisoned|there is no memory|AMPEL_SLOT_NONE\b.*return|UINT32_MAX\) return|"
     r"if \(!(ampel_\w*|\w+_)(put|push|grow|reserve|claim|set|tell|add|take|make|init|name|fill|run|refused|merge|warn|show|import|"
     r"double|before|split|sort)\w*\(|"
     r"if \(!(reserve|grow|regrow|name|find_account|account_beside|account_suspect|score_judge|counts_judge|room_make)\w*\(|"
     r"^!?(reserve|regrow|room_make|ampel_changes_name|ampel_case_tell|ampel_takeover_tell|ampel_backfill_note|ampel_outlook_view_gains)\(|"
     r"^!(regrow|reserve|room_make|ampel_changes_name|ampel_case_tell|ampel_takeover_tell|ampel_backfill_note|ampel_outlook_view_gains)\(|"
     r"&& !?\w*(_push|_put|_grow|_double|_tell|tell)\(|AMPEL_COLUMNS\(X\)|NOMEM|isError|zone_init|list_open\(|if \(good\)|"
     r"ampel_producers_mark\(|reserve_accounts|realloc|calloc|malloc"),
    ("check", "a check of the program by itself that would have to find it broken",
     r"_sane\(|heap_place|wheel_|previous|order\[i|rank_count|occupied|due_before|compare\(block|record >= block->count|"
     r"id_of\(block|wheel->now_ms\) return false|!= list\) return false"),
    ("enum", "a value that no case of a switch names, which no enum has", r"^switch \("),
    ("bound", "a bound that the wire, the registry or the caller's own bound keeps away",
     r"_MAX\b|INT64_MIN|INT64_MAX|SIZE_MAX|_COUNT\b|capacity|\.size > 0\)|size > 0 \?|fits\b|AMPEL_CREDIT|nodes_left|NAMES_BYTES|left < 4\)"),
    ("both", "one of several conditions in one line, the others taken both ways", r"&&|\|\|"),
)
# (file, the line or its beginning, why no test takes the other way). --rest names them, too, once the line is another one.
REASONS = (
    ("engine/apply.c", "if (!order) __builtin", "orders of a frame of more than 8 192 accounts with every column of full width: bench_apply has one"),
    ("engine/apply.c", "if (mover >=", "what a frame touched was moved by one of its events"),
    ("engine/changes.c", "if (out->id_size", "each cause of this kind has an id"),
    ("engine/drift.c", "if (days <= 0)", "a report older than the ring of days is refused as ancient"),
    ("engine/facts.c", "if (key_compare(&last", "facts of a page out of order: damage behind its checksum and its digest"),
    ("engine/image_account.c", "facts->texts[AMPEL_TEXT_SKU]", "a record that waits with a SKU: damage behind a page's checksum"),
    ("engine/incident.c", ": ampel_facts_first(", "an incident is a fact itself, so its account has facts"),
    ("engine/incident.c", "if (status != AMPEL_ENGINE_OK)", "no memory for an outlook"),
    ("engine/leaving.c", "if (points <= 0)", "rules whose start lies above clamp.max"),
    ("engine/leaving.c", "if (each == 0)", "rules whose orders earn nothing and whose clamp.min is green"),
    ("engine/merge.c", "if (event->policy >=", "events are checked when a record is read; an engine looks again"),
    ("engine/outlook.c", "if (ampel_outlook_variants", "no memory for an outlook"),
    ("engine/outlook_forecast.c", "if ((step.causes", "an account leaves green when orders leave; what violations do there comes back"),
    ("engine/outlook_green.c", "if (green(choice))", "halving a batch that was green with less than its half: in no story told"),
    ("engine/rating.h", "if (rules->orders_rounding", "asked of linear rules alone"),
    ("engine/restore.c", "if (ampel_accounts_find(", "one account twice in pages: damage behind checksums"),
    ("engine/violations.c", "if (ampel_violations_find(", "one id twice in a page: damage behind its checksum"),
    ("engine/wheel.c", "for (uint32_t i = 0; i < HEADS_AHEAD", "what is fetched ahead changes no result"),
    ("proto/document_memory.c", "if (a->high != b->high)", "two documents of one half of a 128-bit hash"),
    ("proto/draft.c", "if (set == -1)", "all kinds are told by naming none: one fact has one form"),
    ("proto/draft.c", "if (!ampel_extra_number(", "an extra that is there has the size of its form, which was checked"),
    ("proto/json.c", "*out = json_is_true(", "jansson's macro asks for NULL once more"),
    ("proto/json.c", "if (ampel_json_kind(value) != AMPEL_JSON_REAL)", "asked where the kind is known"),
    ("proto/message_change.c", "if (count > 0) memcpy(message->signals", "a suspicion has signals"),
    ("proto/record_read.c", "!text_shown(out->id))", "the last of four texts that are checked alike"),
    ("proto/violation_list.c", "if (key == 0)", "a hash of 64 bits that is 0"),
    ("proto/yaml_index.c", "for (uint32_t i = parent + 1", "a path that is looked up was met"),
    ("proto/yaml_index.c", ": AMPEL_YAML_NODE_NONE", "a path that is looked up was met"),
    ("proto/yaml_index.c", "if (below == AMPEL_YAML_NODE_NONE)", "a path that is looked up was met"),
)


def kind_of(file, line):
    kind = next((kind for kind, _, words in KINDS if re.search(words, line)), "rest")
    if kind == "rest" and any(file == name and line.startswith(words) for name, words, _ in REASONS):
        return "reason"
    return kind


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
            kind = kind_of(file["file"], text)
            kinds[kind] += left
            files[file["file"]] += left
            if kind == "rest":
                rest.append(f"{file['file']}:{line['line_number']}: {left} of {len(branches)}: {text}")
    left = sum(kinds.values())
    print(f"branches without those of asserts: {total}, taken {total - left} ({100 * (total - left) / total:.1f} %), not taken {left}")
    for kind, what, _ in (*KINDS, ("reason", "reasons of their own, line by line, in tests/tools/branches.py", ""), ("rest", "none of these", "")):
        print(f"  {kinds[kind]:5}  {100 * kinds[kind] / total:4.1f} %  {what}")
    print("files with most of them: " + ", ".join(f"{name} {count}" for name, count in files.most_common(8)))
    if rest_wanted:
        print("\n".join(rest))


if __name__ == "__main__":
    main()

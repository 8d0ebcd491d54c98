"""The lines of `ampel score`, which are put together by hand: names of every kind, in the order of their bytes, and any number of violations."""

import json
import random
import subprocess

import pytest

from system import BIN

AT = "2026-09-01T12:00:00Z"
AS_OF = "2026-10-01T12:00:00Z"
LETTERS = "abcdefghijklmnopqrstuvwxyzABC0123456789-_.\"\\~!#"


def score(*files, flags=()):
    done = subprocess.run([BIN / "ampel", "score", "--as-of", AS_OF, "--format", "jsonl", *flags, *files],
                          capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def names(chance, count):
    """Some share long beginnings, some are beginnings of others, some differ in their last byte alone."""
    found = set()
    while len(found) < count:
        begin = chance.choice(["", "A", "agency-north-", "\"\\\"\\", "x" * 40])
        found.add((begin + "".join(chance.choices(LETTERS, k=chance.randint(1, 20))))[:64])
        base = chance.choice(sorted(found))
        found.add((base + chance.choice(LETTERS))[:64])
    return sorted(found)


@pytest.mark.parametrize("seed", range(3))
def test_accounts_and_violations_stand_in_the_order_of_their_bytes(seed, tmp_path):
    chance = random.Random(seed)
    tenants, sellers = names(chance, 6), names(chance, 120)
    wanted, lines = {}, []
    for tenant in tenants:
        for seller in chance.sample(sellers, 40):
            for marketplace in chance.sample(["de", "fr", "d", "de-2", "nl"], chance.randint(1, 3)):
                ids = names(chance, chance.choice([0, 0, 1, 2, 5, 60]))
                who = {"tenant": tenant, "seller": seller, "marketplace": marketplace, "at": AT}
                lines.append({"type": "order", **who})
                lines += [{"type": "violation", "policy": "received_ip_complaint", "id": name, **who} for name in ids]
                wanted[tenant, seller, marketplace] = ids
    chance.shuffle(lines)
    path = tmp_path / "events.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = score(path, flags=("--no-outlook",))
    order = [(line["tenant"], line["seller"], line["marketplace"]) for line in found]
    assert order == sorted(wanted)
    assert [[one["id"] for one in line["violations"]] for line in found] == [wanted[name] for name in order]
    assert all(line["orders"] == 1 and list(line)[:3] == ["tenant", "seller", "marketplace"] for line in found)
    assert found == [{key: line[key] for key in some} for some, line in zip(found, score(path))]


def test_an_account_of_an_incident_tells_it_and_its_neighbours_do_not(tmp_path):
    lines = [{"type": "violation", "policy": "received_ip_complaint", "id": f"V-{seller}", "tenant": "t", "seller": seller,
              "marketplace": "de", "at": AT, **({"incident": "I-1"} if seller == "b" else {})} for seller in "abc"]
    path = tmp_path / "events.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert [line.get("incidents_total") for line in score(path, flags=("--no-outlook",))] == [None, 1, None]

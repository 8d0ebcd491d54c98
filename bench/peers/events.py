"""Events for all peers alike: the golden cases under the default rules, and a portfolio of any size.

A peer gets rows of whole numbers, accounts, policies and states by number, sorted by nothing but the time they came:
more comfort than a message bus gives. Columns as in facts.sql. What Ampel says of the same events decides.
"""

import csv
import datetime
import json
import pathlib
import random
import re
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]
COLUMNS = ("account", "type", "moment", "day", "rev", "n", "id", "policy", "severity", "points", "state")
# A rating from events; events up to :as_of, whose day is :today.
QUERY = "with " + "".join((HERE / name).read_text() for name in ("facts.sql", "points.sql", "rating.sql"))
TYPES = {"order": 0, "orders_day": 1, "violation": 2, "violation_state": 3}
SEVERITIES = {"none": 0, "low": 1, "medium": 2, "high": 3, "critical": 4}
STATES = {name: code for code, name in enumerate(
    ("open", "appealed", "denied", "listing_deleted", "acknowledged", "edited", "retracted", "approved"))}
GROUPS = {"none": 0, "infringement": 1, "restricted": 2}
DAY_MS = 86_400_000
FIELDS = ("score", "status", "risk", "orders", "order_points", "deducted", "infringement", "restricted")


def policies():
    """[(name, cap group, severity)] in the order of the registry, as the shipped rules say."""
    found = re.findall(r"\{name: (\w+), group: (\w+), severity: (\w+)\}", (TOP / "deploy/rules/amazon.yaml").read_text())
    return [(name, GROUPS[group], SEVERITIES[severity]) for name, group, severity in found]


def milliseconds(at):
    """Of a number, or of a text as RFC 3339 has it; what is finer is cut off."""
    if isinstance(at, int):
        return at
    moment = datetime.datetime.fromisoformat(at.replace("Z", "+00:00"))
    return (moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)) // datetime.timedelta(milliseconds=1)


class Task:
    """Events as rows in a CSV file, and the ratings that Ampel finds for them: {account number: FIELDS}."""

    def __init__(self, folder, name, lines, as_of_ms, score):
        self.name, self.as_of_ms, self.today = name, as_of_ms, as_of_ms // DAY_MS
        self.folder = pathlib.Path(folder)
        self.jsonl, self.path = self.folder / f"{name}.jsonl", self.folder / f"{name}.csv"
        numbers, codes, self.events = {}, {name: code for code, (name, _, _) in enumerate(policies())}, 0
        with open(self.jsonl, "w") as copy, open(self.path, "w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(COLUMNS)
            for event in lines:
                copy.write(json.dumps(event) + "\n")
                at = milliseconds(event["at"])
                account = numbers.setdefault((event["tenant"], event["seller"], event["marketplace"]), len(numbers))
                rows.writerow((account, TYPES.get(event["type"], 9), at, at // DAY_MS, event.get("rev", int(event["type"] == "orders_day")),
                               event.get("total", event.get("count", 1)), event.get("id", ""), codes.get(event.get("policy"), -1),
                               SEVERITIES.get(event.get("severity"), -1), event.get("points", -1),
                               STATES.get(event.get("state"), -1)))
                self.events += 1
        self.accounts = len(numbers)
        self.expected = {}
        for line in score(self.jsonl, as_of_ms):
            found = json.loads(line)
            found.update(found["caps"])
            self.expected[numbers[found["tenant"], found["seller"], found["marketplace"]]] = tuple(found[f] for f in FIELDS)

    def rows(self):
        with open(self.path, newline="") as file:
            for row in csv.DictReader(file):
                yield {key: value if key == "id" else int(value) for key, value in row.items()}

    def check(self, peer, ratings):
        """Raises unless the peer's {account: FIELDS} are Ampel's."""
        if ratings == self.expected:
            return
        for account in sorted(self.expected.keys() | ratings.keys()):
            if ratings.get(account) != self.expected.get(account):
                raise AssertionError(f"{peer}, {self.name}: account {account} is {ratings.get(account)}, "
                                     f"Ampel says {self.expected.get(account)}")


def ampel_score(program):
    def score(path, as_of_ms):
        return subprocess.run([str(program), "score", str(path), "--as-of", str(as_of_ms), "--format", "jsonl", "--no-outlook"],
                              stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    return score


def golden(folder, score):
    for case in ("basics", "edges", "mixed", "heavy"):
        lines = (TOP / "tests/golden" / f"{case}.events.jsonl").read_text().splitlines()
        yield Task(folder, case, map(json.loads, lines), 1_790_858_096_789, score)


def portfolio(folder, events, accounts, score, seed=1, as_of_ms=1_790_858_096_789):
    """Nine orders to one violation (a tenth of them states), half a year, in the order of their time."""
    dice = random.Random(seed)
    names = [name for name, _, _ in policies()]

    def lines():
        ids, past = 0, []
        for i in range(events):
            at = as_of_ms - 179 * DAY_MS + (179 * DAY_MS * i) // events
            event = {"tenant": "agency", "marketplace": "A1PA6795UKMFR9", "at": at}
            draw = dice.random()
            if draw < 0.9:
                event |= {"type": "order", "count": dice.randrange(1, 4), "seller": f"S{dice.randrange(accounts)}"}
            elif draw < 0.99 or not past:
                ids += 1
                event |= {"type": "violation", "id": f"v{ids}", "policy": names[dice.randrange(len(names))],
                          "seller": f"S{dice.randrange(accounts)}"}
                past.append((event["seller"], event["id"]))
            else:
                seller, violation = past[dice.randrange(len(past))]
                event |= {"type": "violation_state", "id": violation, "seller": seller,
                          "state": dice.choice(("appealed", "denied", "acknowledged", "approved"))}
            yield event
    return Task(folder, f"portfolio-{events}", lines(), as_of_ms, score)

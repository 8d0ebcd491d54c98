#!/usr/bin/env python3
"""Writes a portfolio of made-up seller accounts as JSON Lines of events, sorted by time.

The same arguments give the same bytes. What is generated, for N accounts over the D days that end at
--until (the last day is cut off there):

- accounts are dealt to the tenants in turn; each has a size class (about 1, 8, 60 or 400 orders a day);
- orders: nine accounts in ten report each day as one `orders_day`, some of them a second time with a
  greater `rev`; the tenth sends `order` increments;
- violations of all policies with the life they lead: opened, appealed, denied, approved, retracted,
  edited, acknowledged or their listing deleted; some are revised later, most carry `asin`, `sku` and
  `at_risk_sales`;
- of every 50 accounts of a tenant, 4 are driven to yellow, 2 to red, 2 stand one short of a repeat cap, 1 has reached
  one, and 1 has an open critical violation; the others live with what chance brings;
- a `profile` at the start of each account, an `account_status` where the account turned red.

No event lies after --until or more than --days before it; lines of one account with the same `at` stand
in the order in which they make sense (a revision after what it revises).
"""

import argparse
import random
import re
import sys
from datetime import datetime, timedelta, timezone

DAY_MS = 86_400_000
MARKETPLACES = ("A1PA6795UKMFR9", "A1PA6795UKMFR9", "A1F83G8C2ARO7P", "A13V1IB3VIYZZH",
                "APJ6JRA9NG5V4", "A1RKKUPIHCS9HS", "ATVPDKIKX0DER")
# Policy, default severity, how often it strikes. Names are those of the policy registry.
POLICIES = (("suspected_ip", "medium", 14), ("received_ip_complaint", "high", 8),
            ("product_authenticity", "high", 6), ("product_condition", "medium", 14),
            ("product_safety", "high", 5), ("food_and_product_safety", "high", 4),
            ("listing_policy", "low", 22), ("restricted_product", "high", 3),
            ("customer_reviews", "high", 3), ("other_policy", "medium", 5),
            ("policy_warning", "none", 5), ("regulatory_compliance", "low", 6),
            ("fair_pricing", "low", 5))
POLICY_NAMES = tuple(name for name, _, _ in POLICIES)
POLICY_WEIGHTS = tuple(weight for _, _, weight in POLICIES)
SEVERITY_OF = {name: severity for name, severity, _ in POLICIES}
UNCAPPED = ("product_authenticity", "product_condition", "product_safety", "listing_policy",
            "food_and_product_safety", "regulatory_compliance")
BASE = {"none": 0, "low": 2, "medium": 4, "high": 8}
SIZES = ((1, 35), (8, 40), (60, 20), (400, 5))
WEEKDAY = (1.1, 1.0, 0.95, 0.95, 1.0, 0.9, 1.1)
# The fates of 50 accounts in turn; all others are ordinary.
FATES = {3: "yellow", 15: "yellow", 27: "yellow", 39: "yellow", 7: "red", 31: "red", 11: "near_cap",
         35: "near_cap", 19: "at_cap", 23: "critical"}
ENDINGS = (("approved", 40), ("acknowledged", 20), ("edited", 15), ("retracted", 10),
           ("listing_deleted", 15))


def time_ms(text):
    """RFC 3339 with a zone, or milliseconds since 1970."""
    if re.fullmatch(r"\d+", text):
        return int(text)
    at = datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text))
    if at.tzinfo is None:
        raise argparse.ArgumentTypeError("a time needs Z or an offset")
    return (at - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(milliseconds=1)


def time_text(at_ms):
    at = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=at_ms)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at_ms % 1000:03d}Z"


class Account:
    def __init__(self, index, tenant, turn, chance, begin_ms, until_ms):
        # turn counts within the tenant, so that every tenant gets its share of every fate.
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
        # The index in the id keeps ids distinct.
        self.seller = "A" + "".join(chance.choices(letters, k=8)) + f"{index:05d}"
        self.marketplace = chance.choice(MARKETPLACES)
        self.fate = FATES.get(turn % 50, "ordinary")
        sizes = SIZES if self.fate == "ordinary" else SIZES[:2]
        self.mean = chance.choices([s for s, _ in sizes], [w for _, w in sizes])[0]
        self.mean *= 0.5 + chance.random()
        self.head = (f'{{"tenant": "{tenant}", "seller": "{self.seller}", '
                     f'"marketplace": "{self.marketplace}", "type": ')
        self.increments = turn % 10 == 4
        self.revises = turn % 8 == 6
        # When on each day this account reports: the same second every day, the last two hours.
        second = chance.randrange(22 * 3600, 86_398)
        self.report_ms = second * 1000 + chance.randrange(1000)
        self.report_text = time_text(self.report_ms)[10:]
        self.begin_ms, self.until_ms = begin_ms, until_ms
        self.violations_count = 0
        self.repeats = {}

    def order_points(self):
        days = min(180, (self.until_ms - self.begin_ms) // DAY_MS)
        return 4 * int(self.mean * days / 200)

    def violation(self, chance, events, at_ms, policy, severity, left_open):
        """One violation with everything that will happen to it until the end."""
        self.violations_count += 1
        name = f"{self.seller[-5:]}-{self.violations_count:03d}"
        fields = f'"id": "{name}", "policy": "{policy}"'
        if severity != SEVERITY_OF[policy] or chance.random() < 0.5:
            fields += f', "severity": "{severity}"'
        goods = ""
        if chance.random() < 0.8:
            product = chance.randrange(10**8)
            goods = f', "asin": "B0{product:08d}", "sku": "SKU-{product % 9973:04d}"'
        sales = int(10 ** (1 + 2.5 * chance.random()) * 100)
        goods += f', "at_risk_sales": {sales // 100}.{sales % 100:02d}'
        text = time_text(at_ms)
        events.append((at_ms, f'{self.head}"violation", {fields}, "at": "{text}"{goods}}}\n'))
        if chance.random() < 0.08:
            goods = re.sub(r"[\d.]+$", f"{sales // 50}.00", goods)
            events.append((at_ms, f'{self.head}"violation", {fields}, "rev": 1, "at": "{text}"{goods}}}\n'))
        states = []
        if chance.random() < 0.6:
            states.append("appealed")
            while chance.random() < 0.3 and len(states) < 4:
                states += ["denied", "appealed"]
        if left_open:
            states = states[:2]
        elif chance.random() < 0.9:
            states.append(chance.choices([e for e, _ in ENDINGS], [w for _, w in ENDINGS])[0])
        for state in states:
            at_ms += int(DAY_MS * (0.3 + chance.expovariate(0.2)))
            if at_ms > self.until_ms:
                return
            events.append((at_ms, f'{self.head}"violation_state", "id": "{name}", '
                                  f'"state": "{state}", "at": "{time_text(at_ms)}"}}\n'))

    def recent(self, chance):
        """A moment early enough to be told and late enough to be in the window still."""
        span = min(self.until_ms - self.begin_ms, 170 * DAY_MS)
        return self.until_ms - int(span * chance.uniform(0.01, 0.99))

    def deduct(self, chance, events, target):
        """Open violations until about target points are lost; how many were needed does not matter."""
        lost, tries = 0, 0
        while lost < target and tries < 60:
            tries += 1
            policy = chance.choice(UNCAPPED)
            severity = chance.choice(("low", "medium", "high"))
            points = BASE[severity] << min(self.repeats.get(policy, 0), 4)
            if lost + points > target + 12:
                continue
            lost += points
            self.repeats[policy] = self.repeats.get(policy, 0) + 1
            self.violation(chance, events, self.recent(chance), policy, severity, True)

    def life(self, chance):
        """All events of this account but its orders."""
        events = [(self.begin_ms, f'{self.head}"profile", "at": "{time_text(self.begin_ms)}", '
                                  f'"professional": true, "emergency_phone": '
                                  f'{"true" if chance.random() < 0.7 else "false"}}}\n')]
        span = self.until_ms - self.begin_ms
        if self.fate == "ordinary":
            mean = 1.2 * span / (200 * DAY_MS) * (1 + self.mean / 200)
            at_ms = self.begin_ms + int(chance.expovariate(mean) * span)
            while at_ms < self.until_ms:
                policy = chance.choices(POLICY_NAMES, POLICY_WEIGHTS)[0]
                severity = SEVERITY_OF[policy]
                if severity != "none" and chance.random() < 0.3:
                    severity = chance.choice(("low", "medium", "high"))
                self.violation(chance, events, at_ms, policy, severity, False)
                at_ms += max(1, int(chance.expovariate(mean) * span))
        elif self.fate == "yellow":
            self.deduct(chance, events, self.order_points() + chance.randint(15, 80))
        elif self.fate == "red":
            self.deduct(chance, events, self.order_points() + chance.randint(115, 190))
            at_ms = self.until_ms - int(min(span, 20 * DAY_MS) * chance.random())
            status = chance.choice(("at_risk", "deactivated"))
            events.append((at_ms, f'{self.head}"account_status", "at": "{time_text(at_ms)}", '
                                  f'"status": "{status}"}}\n'))
        elif self.fate in ("near_cap", "at_cap"):
            infringements = chance.random() < 0.6
            count = (5 if infringements else 2) - (self.fate == "near_cap")
            for _ in range(count):
                policy = chance.choice(("suspected_ip", "received_ip_complaint"))
                self.violation(chance, events, self.recent(chance),
                               policy if infringements else "restricted_product", "low", True)
        else:
            at_ms = self.until_ms - int(min(span, 40 * DAY_MS) * chance.random())
            self.violation(chance, events, at_ms, "product_safety", "critical", True)
        return events


def orders_of(account, chance, day_ms, day_text, factor, until_ms, out):
    """The lines of one account's orders on one day, appended to out as (at, line)."""
    total = int(account.mean * factor * (0.4 + 1.2 * chance.random()) + chance.random())
    at_ms = day_ms + account.report_ms
    at_text = day_text + account.report_text
    if at_ms > until_ms:
        total = total * (until_ms - day_ms) // DAY_MS
        at_ms, at_text = until_ms, time_text(until_ms)
    if not account.increments:
        out.append((at_ms, f'{account.head}"orders_day", "at": "{at_text}", "total": {total}}}\n'))
        if account.revises and at_ms < until_ms and chance.random() < 0.2:
            out.append((at_ms, f'{account.head}"orders_day", "at": "{at_text}", '
                               f'"total": {total + 1}, "rev": 2}}\n'))
    elif total:
        part = max(1, total // 2)
        middle_ms = day_ms + (at_ms - day_ms) // 2
        out.append((middle_ms, f'{account.head}"order", "at": "{time_text(middle_ms)}", '
                               f'"count": {part}}}\n'))
        if total > part:
            out.append((at_ms, f'{account.head}"order", "at": "{at_text}", '
                               f'"count": {total - part}}}\n'))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--accounts", type=int, required=True)
    parser.add_argument("--days", type=int, required=True, help="1..350, so that nothing is ancient")
    parser.add_argument("--until", type=time_ms, required=True, help="RFC 3339 or milliseconds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tenants", default="demo", help="names, separated by commas")
    options = parser.parse_args()
    tenants = options.tenants.split(",")
    if not 1 <= options.days <= 350 or not 0 <= options.accounts <= 99_999:
        parser.error("--days lies in 1..350, --accounts in 0..99999")
    if not all(re.fullmatch(r"[!-.0-~]{1,64}", tenant) for tenant in tenants):
        parser.error("a tenant is 1..64 printable characters without space or slash")

    chance = random.Random(options.seed)
    until_ms = options.until
    begin_ms = until_ms - options.days * DAY_MS
    accounts = [Account(index, tenants[index % len(tenants)], index // len(tenants), chance, begin_ms, until_ms)
                for index in range(options.accounts)]
    lives = {}
    for account in accounts:
        for event in account.life(chance):
            lives.setdefault(event[0] // DAY_MS, []).append(event)
    for day in range(begin_ms // DAY_MS, until_ms // DAY_MS + 1):
        day_ms = day * DAY_MS
        events = lives.get(day, [])
        if day_ms >= begin_ms:
            day_text = time_text(day_ms)[:10]
            # 1970-01-01 was a Thursday.
            factor = WEEKDAY[(day + 3) % 7]
            for account in accounts:
                orders_of(account, chance, day_ms, day_text, factor, until_ms, events)
        events.sort(key=lambda event: event[0])
        sys.stdout.write("".join(line for _, line in events))


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        sys.stderr.close()

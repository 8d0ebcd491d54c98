#!/usr/bin/env python3
"""A year of seller accounts, honest ones and some that are taken over, as events for `ampel replay`.

What is made up here is habits: how much a shop sells on which day, when it uploads, moves its bank account,
goes on holiday, lets an agency in, and what an intruder does. docs/TAKEOVER.md says what each variant is for.
The events go to one file (JSON Lines), what was done to whom to another (the truth):

    {"account": "t0/S17/DE", "type": "offers", "from": ms, "until": ms, "causes": [[ms, "kind", "group"], ...]}

    takeover_year.py --variant everyday --seed 1 --accounts 5000 --takeovers 100 --events FILE --truth FILE

Everything is drawn from the seed, account by account, so that memory stays small.
"""
import argparse
import json
import math
import random
from dataclasses import dataclass

HOUR = 3_600_000
DAY = 24 * HOUR
FIRST_DAY = 20454  # 2026-01-01
DAYS = 365
GROUPS = {
    "foreign_login_language": "access", "new_user_or_app": "access", "email_phone_change": "contact",
    "deposit_change": "payout", "bulk_new_listings": "listings", "new_category": "listings",
    "price_cut": "listings", "handling_time": "listings", "storefront_text": "listings",
    "dormant_wake": "orders", "order_burst": "orders", "cancel_and_mail": "orders", "wismo_burst": "orders",
    "status_flip": "status",
}
TYPES = ["SHOES", "SHIRT", "LAMP", "BOOK", "TOY", "KITCHEN", "GARDEN", "PET", "TOOL", "CANDLE", "TEA", "BAG"]
FOREIGN = ["VIDEO_GAME_CONSOLE", "CELLULAR_PHONE", "TABLET_COMPUTER", "WRISTWATCH", "CAMERA_DIGITAL"]
PRIME_DAYS = (201, 202)
BLACK_FRIDAY = 330


@dataclass
class Habits:
    """What the shops and agencies of a variant are like. Rates are per account and year."""
    orders_median: float = 8.0
    orders_spread: float = 1.4       # of the logarithm
    season: float = 0.3              # amplitude of the year's wave
    season_exponent: float = 1.0     # above 1: nearly all is sold in a few weeks
    peak: tuple = (1.5, 5.0)         # factor on Black Friday
    weekend_shops: float = 0.0       # share of shops that sell on weekends alone
    creations: float = 20.0          # small additions to the range
    bulk: float = 4.0
    bulk_new_type: float = 0.15
    campaigns: float = 4.0
    clearance: float = 0.1           # share of campaigns far below the reference
    slow_handling: float = 0.5       # a holiday with longer handling
    holidays: float = 0.3
    long_sleep: float = 0.03         # two to four months without a sale, then back
    relaunch: float = 0.02           # back with another range after a sleep
    deposit: float = 0.4
    contact: float = 0.4
    user: float = 1.0
    login: float = 0.5
    onboarding: float = 0.15         # an agency comes: a user, and the bank or the mail within the week
    onboarding_bank: float = 0.1     # share of them that move the bank; it is the seller's own
    announced: float = 0.5           # share of settings' changes that maintenance announces
    stockout: float = 0.5
    wismo: float = 0.2
    storefront: float = 0.01
    deactivated: float = 0.01        # by papers asked for, without a violation
    marketplaces: int = 1            # stores a seller; settings' changes show in all of them
    chain_bulk: float = 0.0          # share of bulk uploads that go to all stores at once
    # The intruder.
    payout_share: float = 0.5
    pace_hours: float = 6.0          # between two steps of one, on average
    offers: tuple = (100, 3000)
    uploads: int = 3
    permille: tuple = (333, 667)
    handling: float = 0.7
    foreign: float = 0.9
    access_seen: float = 0.75        # how often the login, the user or the mail of a hijack is noticed
    burst: tuple = (4.0, 25.0)
    sleeper: float = 0.2             # share of hijacks that choose a sleeping shop


VARIANTS = {
    "everyday": Habits(),
    # Held out: not looked at while the defaults were chosen.
    "slow": Habits(orders_median=0.3, orders_spread=0.8, pace_hours=16, offers=(60, 240), uploads=5,
                   burst=(3.0, 8.0), creations=6, bulk=1.5),
    "chains": Habits(marketplaces=6, chain_bulk=0.7, bulk=6, relaunch=0.15, long_sleep=0.1, season=0.9,
                     weekend_shops=0.2, season_exponent=3, peak=(3, 12), bulk_new_type=0.35, campaigns=8),
    "agency": Habits(deposit=0.7, contact=0.6, user=2.0, login=1.0, onboarding=0.4, announced=0.15,
                     clearance=0.3, slow_handling=1.0, stockout=2, wismo=0.5, deactivated=0.03,
                     access_seen=0.6, pace_hours=10),
    "agency_announced": Habits(deposit=0.7, contact=0.6, user=2.0, login=1.0, onboarding=0.4, announced=0.85,
                               clearance=0.3, slow_handling=1.0, stockout=2, wismo=0.5, deactivated=0.03,
                               access_seen=0.6, pace_hours=10),
    # What no sum tells from an intruder: most agencies that come move the bank within the week.
    "handover": Habits(onboarding_bank=0.6),
}


class Account:
    def __init__(self, year, number, name, rng, level, sleeps):
        self.year, self.number, self.name, self.rng = year, number, name, rng
        self.level, self.sleeps = level, sleeps
        self.types = rng.sample(TYPES, rng.randint(2, 5))
        tenant, seller, marketplace = name.split("/")
        self.head = f'{{"tenant":"{tenant}","seller":"{seller}","marketplace":"{marketplace}",'
        self.extra = {}      # day -> orders an intruder's offers bring, by the hour
        self.dead_from = None

    def tell(self, event, at, **fields):
        rest = "".join(f',"{key}":{json.dumps(value)}' for key, value in fields.items())
        self.year.out.write(f'{self.head}"type":"{event}","at":{int(at)}{rest}}}\n')

    def signal(self, kind, at):
        self.tell("signal", at, kind=kind)

    def listing(self, at, change, count, **fields):
        self.tell("listing", at, change=change, count=int(count), **fields)


def poisson(rng, mean):
    if mean <= 0:
        return 0
    if mean > 30:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count


class Year:
    def __init__(self, habits, seed, out):
        self.habits, self.seed, self.out = habits, seed, out
        self.truth = []

    # ---- what a day sells ---------------------------------------------------------------------

    def expected(self, account, day):
        habits = self.habits
        if any(first <= day < end for first, end in account.sleeps):
            return 0.0
        weekday = (day + 3) % 7  # 2026-01-01 is a Thursday
        factor = account.weekdays[weekday]
        wave = 1 + habits.season * math.sin(2 * math.pi * (day - account.phase) / DAYS)
        factor *= wave ** habits.season_exponent
        if day in PRIME_DAYS:
            factor *= account.prime
        if abs(day - BLACK_FRIDAY) <= 3:
            factor *= account.friday if day == BLACK_FRIDAY else 1 + (account.friday - 1) / 2
        if 334 <= day <= 354:
            factor *= 1.6
        return account.level * factor

    def sell(self, account):
        rng, habits = account.rng, self.habits
        weekend = rng.random() < habits.weekend_shops
        account.weekdays = [0, 0, 0, 0, 0.5, 3, 3] if weekend else [1.1, 1, 1, 1, 0.9, 0.9, 1.1]
        account.phase = rng.uniform(0, DAYS)
        account.prime = rng.uniform(1, 3)
        account.friday = rng.uniform(*habits.peak)
        noise = 1.0
        for day in range(DAYS):
            noise = max(0.3, min(3.0, noise * math.exp(rng.gauss(0, 0.08)) ** 0.9 + 0.02))
            at = (FIRST_DAY + day) * DAY
            if account.dead_from is not None and at >= account.dead_from:
                break
            count = poisson(rng, self.expected(account, day) * noise)
            extra = account.extra.get(day)
            if extra is None:
                if count > 0:
                    account.tell("orders_day", at + 23 * HOUR, total=count)
                continue
            for hour in range(24):
                more = poisson(rng, count / 24) + extra.get(hour, 0)
                if more > 0:
                    account.tell("order", at + hour * HOUR + 30 * 60_000, count=more)

    # ---- honest business ----------------------------------------------------------------------

    def moments(self, account, rate):
        return [(FIRST_DAY + account.rng.uniform(0, DAYS)) * DAY for _ in range(poisson(account.rng, rate))]

    def upload(self, account, at, count, new_type):
        rng = account.rng
        types = account.types
        if new_type:
            types = account.types = account.types + [rng.choice([t for t in TYPES if t not in account.types] or TYPES)]
            types = types[-1:]
        for kind in rng.sample(types, min(len(types), 2)):
            account.listing(at, "created", max(1, count // 2), product_type=kind,
                            price_permille=rng.randint(820, 1100), handling_days=rng.randint(1, 4))

    def range_and_prices(self, account):
        rng, habits = account.rng, self.habits
        for at in self.moments(account, habits.creations):
            account.listing(at, "created", rng.randint(1, 20), product_type=rng.choice(account.types),
                            price_permille=rng.randint(850, 1100), handling_days=rng.randint(1, 4))
        for at in sorted(self.moments(account, habits.bulk)):
            self.upload(account, at, int(10 ** rng.uniform(1.7, 3.3)), rng.random() < habits.bulk_new_type)
        for at in self.moments(account, habits.campaigns):
            low = rng.random() < habits.clearance
            permille = rng.randint(420, 680) if low else rng.randint(680, 920)
            account.listing(at, "price", rng.randint(5, 150), price_permille=permille)
        for at in self.moments(account, habits.slow_handling):
            account.listing(at, "handling", rng.randint(10, 200), handling_days=rng.randint(7, 25))
        for at in self.moments(account, habits.stockout):
            account.tell("orders_cancelled", at, count=rng.randint(3, max(4, int(account.level * 2))))
        for first, end in account.sleeps:
            if end - first < 60 or end >= DAYS:
                continue
            back = (FIRST_DAY + end) * DAY + 9 * HOUR
            again = rng.random() < habits.relaunch / max(habits.long_sleep + habits.relaunch, 1e-9)
            self.upload(account, back - rng.uniform(0, 2) * DAY, rng.randint(30, 600), again)

    def announce(self, account, at, kinds):
        """An agency that announces its work does so before it begins."""
        if account.rng.random() < self.habits.announced:
            account.tell("maintenance", at - account.rng.uniform(0.2, 12) * HOUR,
                         until=int(at + account.rng.uniform(1, 24) * HOUR), kinds=kinds)

    def settings(self, account, accounts):
        """Changes of one seller show in all of its stores."""
        rng, habits = account.rng, self.habits

        def happen(kind, at):
            told = rng.random() < habits.announced
            before, after = rng.uniform(0.2, 12), rng.uniform(1, 24)
            for one in accounts:
                if told:
                    one.tell("maintenance", at - before * HOUR, until=int(at + after * HOUR), kinds=[kind])
                one.signal(kind, at + rng.uniform(0, 0.1) * HOUR)

        for kind, rate in (("deposit_change", habits.deposit), ("email_phone_change", habits.contact),
                           ("new_user_or_app", habits.user), ("foreign_login_language", habits.login),
                           ("wismo_burst", habits.wismo), ("storefront_text", habits.storefront)):
            for at in self.moments(account, rate):
                happen(kind, at)
        for at in self.moments(account, habits.onboarding):
            happen("new_user_or_app", at)
            other = "deposit_change" if rng.random() < habits.onboarding_bank else "email_phone_change"
            happen(other, at + rng.uniform(0, 7) * DAY)
        for at in self.moments(account, habits.deactivated):
            account.tell("account_status", at, status="deactivated")
            account.tell("account_status", at + rng.uniform(2, 10) * DAY, status="normal")

    # ---- intruders ----------------------------------------------------------------------------

    def pace(self, rng):
        return rng.expovariate(1 / self.habits.pace_hours) * HOUR

    def divert(self, account, accounts, start):
        """Settings alone: in, the mail away from the owner, then the money."""
        rng = account.rng
        chosen = [kind for kind, share in (("foreign_login_language", 0.6), ("new_user_or_app", 0.4),
                                           ("email_phone_change", 0.75)) if rng.random() < share]
        if not chosen:
            chosen = [rng.choice(["foreign_login_language", "email_phone_change"])]
        causes, at = [], start
        for kind in chosen + ["deposit_change"]:
            for one in accounts:
                one.signal(kind, at)
            causes.append((at, kind))
            at += self.pace(rng)
        return causes

    def hijack(self, account, accounts, start):
        """Goods that do not exist: in, offers, orders, cancellations, and the lock after some days."""
        rng, habits = account.rng, self.habits
        causes, at = [], start
        for kind, share in (("foreign_login_language", 0.6), ("email_phone_change", 0.5), ("new_user_or_app", 0.3)):
            if rng.random() < share * habits.access_seen:
                account.signal(kind, at)
                causes.append((at, kind))
                at += self.pace(rng)
        at += self.pace(rng)
        types = FOREIGN if rng.random() < habits.foreign else account.types
        slow = rng.randint(14, 40) if rng.random() < habits.handling else rng.randint(2, 5)
        permille = rng.uniform(*habits.permille)
        total, begin = 10 ** rng.uniform(math.log10(habits.offers[0]), math.log10(habits.offers[1])), at
        for _ in range(rng.randint(1, habits.uploads)):
            count = max(10, int(total / habits.uploads))
            account.listing(at, "created", count, product_type=rng.choice(types),
                            price_permille=int(permille * rng.uniform(0.9, 1.1)), handling_days=slow)
            at += self.pace(rng)
        causes.append((begin, "bulk_new_listings"))
        if types is FOREIGN:
            causes.append((begin, "new_category"))
        if permille < 600:
            causes.append((begin, "price_cut"))
        if slow >= 14:
            causes.append((begin, "handling_time"))
        lock = begin + rng.uniform(1, 5) * DAY
        flow = max(30.0, account.level * 1.0) * rng.uniform(*habits.burst)
        orders_from = begin + rng.uniform(2, 12) * HOUR
        hour_ms = orders_from
        while hour_ms < lock:
            day, hour = int(hour_ms // DAY) - FIRST_DAY, int(hour_ms % DAY // HOUR)
            account.extra.setdefault(day, {})[hour] = poisson(rng, flow / 24)
            hour_ms += HOUR
        causes.append((orders_from, "order_burst"))
        if any(end - 0 > int(start // DAY) - FIRST_DAY >= first + 60 for first, end in account.sleeps):
            causes.append((begin, "dormant_wake"))
        if rng.random() < 0.5:
            when = orders_from + rng.uniform(4, 30) * HOUR
            account.tell("orders_cancelled", when, count=int(max(25, flow / 2)))
            causes.append((when, "cancel_and_mail"))
        if rng.random() < 0.7:
            account.tell("account_status", lock, status="deactivated")
            causes.append((lock, "status_flip"))
        account.dead_from = lock
        return causes

    def attack(self, account, accounts):
        rng, habits = account.rng, self.habits
        kind = "payout" if rng.random() < habits.payout_share else "offers"
        day = rng.uniform(95, DAYS - 15)
        if kind == "offers" and rng.random() < habits.sleeper:
            first = int(day) - rng.randint(62, 120)
            if first > 20:
                account.sleeps = [(first, DAYS)]
        start = (FIRST_DAY + day) * DAY
        causes = self.divert(account, accounts, start) if kind == "payout" else self.hijack(account, accounts, start)
        causes.sort()
        for one in accounts if kind == "payout" else [account]:
            self.truth.append({"account": one.name, "type": kind, "from": int(start),
                               "until": int(causes[-1][0] + 10 * DAY),
                               "causes": [[int(at), name, GROUPS[name]] for at, name in causes]})

    # ---- one seller ---------------------------------------------------------------------------

    def sleeps_of(self, rng):
        habits, sleeps = self.habits, []
        if rng.random() < habits.long_sleep + habits.relaunch:
            first = rng.randint(70, 250)
            sleeps.append((first, first + rng.randint(60, 120)))
        elif rng.random() < habits.holidays:
            first = rng.randint(5, 340)
            sleeps.append((first, first + rng.randint(10, 30)))
        return sleeps

    def seller(self, number, attacked):
        habits = self.habits
        rng = random.Random(f"{self.seed}/{number}")
        stores = ["DE", "FR", "IT", "ES", "NL", "PL", "SE", "BE", "GB"][:habits.marketplaces]
        sleeps = self.sleeps_of(rng)
        accounts = [Account(self, number, f"t{number % 7}/S{number}/{store}", rng,
                            habits.orders_median * math.exp(rng.gauss(0, habits.orders_spread)), list(sleeps))
                    for store in stores]
        if attacked:
            self.attack(accounts[0], accounts)
        self.settings(accounts[0], accounts)
        for at in self.moments(accounts[0], habits.bulk * habits.chain_bulk):
            count = int(10 ** rng.uniform(1.7, 3.3))
            for account in accounts:
                self.upload(account, at + rng.uniform(0, 3) * HOUR, count, rng.random() < habits.bulk_new_type)
        for account in accounts:
            self.range_and_prices(account)
            self.sell(account)


def make(variant, seed, accounts, takeovers, events, truth):
    habits = VARIANTS[variant]
    sellers = max(1, accounts // habits.marketplaces)
    chosen = set(random.Random(f"{seed}/chosen").sample(range(sellers), min(takeovers, sellers)))
    with open(events, "w", encoding="ascii") as out:
        year = Year(habits, seed, out)
        for number in range(sellers):
            year.seller(number, number in chosen)
    with open(truth, "w", encoding="ascii") as out:
        out.write(json.dumps({"accounts": sellers * habits.marketplaces, "months": DAYS / 30.4375}) + "\n")
        for one in year.truth:
            out.write(json.dumps(one) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--variant", choices=sorted(VARIANTS), default="everyday")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--accounts", type=int, default=5000)
    parser.add_argument("--takeovers", type=int, default=100)
    parser.add_argument("--events", required=True)
    parser.add_argument("--truth", required=True)
    arguments = parser.parse_args()
    make(arguments.variant, arguments.seed, arguments.accounts, arguments.takeovers, arguments.events,
         arguments.truth)


if __name__ == "__main__":
    main()

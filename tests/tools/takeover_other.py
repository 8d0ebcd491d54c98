"""A second year, made otherwise than takeover_year.py's: other shops, other people, other intruders.

Nothing is shared with the first but the names of kinds and the form of the files. Shops are of six sorts with
calendars of their own; what people do comes in spells (staff turns over, an office works late, the owner moves
house) and not as independent moments; a quarter of the agencies tell of listings as signals of their own console,
without listing events. Intruders: patient ones, ones that only divert the payout, ones that list first and take the
mail later, ones of which only orders are seen, and clumsy ones who do everything within the hour.
"""
import json
import random
from bisect import bisect

HOUR = 3_600_000
DAY = 24 * HOUR
FIRST_DAY = 20454
DAYS = 365
GROUPS = {
    "foreign_login_language": "access", "new_user_or_app": "access", "email_phone_change": "contact",
    "deposit_change": "payout", "bulk_new_listings": "listings", "new_category": "listings",
    "price_cut": "listings", "handling_time": "listings", "storefront_text": "listings",
    "dormant_wake": "orders", "order_burst": "orders", "cancel_and_mail": "orders", "status_flip": "status",
}
RANGE = ["YARN", "PAINT", "FRAME", "MUG", "POSTER", "ROPE", "SEED", "SPICE", "SOAP", "CHAIR", "RUG", "VASE"]
WANTED = ["NOTEBOOK_COMPUTER", "HEADPHONES", "DRONE", "POWER_TOOL", "PERFUME", "SNEAKERS"]
# sort: share of shops, orders a day, orders of the best day, uploads a year, offers of one
SORTS = [
    ("corner shop", 0.40, 2, 10, 6, (1, 30)),
    ("weekly uploader", 0.20, 12, 40, 52, (20, 120)),
    ("Christmas shop", 0.10, 6, 150, 4, (50, 600)),
    ("garden shop", 0.10, 8, 90, 4, (50, 400)),
    ("dealer in remainders", 0.10, 20, 120, 30, (30, 900)),
    ("big brand", 0.10, 150, 900, 12, (10, 300)),
]
SALES_DAYS = (58, 142, 196, 301, 330, 333)


class Shop:
    def __init__(self, year, number):
        self.rng = random.Random(f"other/{year.seed}/{number}")
        self.year, self.name = year, f"t{number % 5}/Z{number}/{self.rng.choice(['DE', 'FR', 'IT', 'PL'])}"
        tenant, seller, marketplace = self.name.split("/")
        self.head = {"tenant": tenant, "seller": seller, "marketplace": marketplace}
        shares = [sum(sort[1] for sort in SORTS[:i + 1]) for i in range(len(SORTS))]
        self.sort, _, self.orders, self.best, self.uploads, self.size = SORTS[
            min(bisect(shares, self.rng.random()), len(SORTS) - 1)]
        self.orders *= self.rng.lognormvariate(0, 0.7)
        self.types = self.rng.sample(RANGE, 4)
        self.console = self.rng.random() < 0.25  # its agency tells signals, not listings
        self.intruder = {}                       # (day, hour) -> orders
        self.closed = []                         # days on which nothing is sold
        self.locked = None

    def tell(self, event, at, **fields):
        self.year.out.write(json.dumps(self.head | {"type": event, "at": int(at)} | fields) + "\n")

    def signal(self, kind, at):
        self.tell("signal", at, kind=kind)

    def any_time(self, late=False):
        """At the office, or at night."""
        hour = self.rng.uniform(20, 28) if late else self.rng.uniform(7, 18)
        return (FIRST_DAY + self.rng.randrange(1, DAYS - 2)) * DAY + hour * HOUR

    # ---- what is sold -------------------------------------------------------------------------

    def expected(self, day):
        if any(first <= day < end for first, end in self.closed):
            return 0
        if self.sort == "Christmas shop":
            mean = self.orders * (0.1 if 20 < day < 290 else 1) + (self.best / 25) * max(0, 25 - abs(day - 342))
        elif self.sort == "garden shop":
            mean = self.orders * 0.2 + (self.best / 45) * max(0, 45 - abs(day - 125)) / 2
        else:
            mean = self.orders * (0.6 if day % 7 in (1, 2) else 1.15)
        return mean * (self.rng.uniform(1.5, 6) if day in SALES_DAYS and self.sort != "corner shop" else 1)

    def sell(self):
        for day in range(DAYS):
            at = (FIRST_DAY + day) * DAY
            if self.locked is not None and at >= self.locked:
                return
            count = max(0, round(self.rng.gauss(mean := self.expected(day), mean ** 0.5)))
            foreign = [(hour, n) for (d, hour), n in self.intruder.items() if d == day]
            if foreign and count + sum(n for _, n in foreign) > 0:
                for hour, n in foreign:
                    self.tell("order", at + hour * HOUR, count=max(1, n + count // 24))
            elif count > 0:
                self.tell("orders_day", at + 22 * HOUR, total=count)

    # ---- honest people ------------------------------------------------------------------------

    def listings(self):
        rng = self.rng
        for i in range(self.uploads):
            day = (i * DAYS // self.uploads + rng.randint(0, 2)) % DAYS
            types = [rng.choice(self.types)]
            if rng.random() < (0.3 if self.sort == "dealer in remainders" else 0.04):
                types = [rng.choice(RANGE)]
            cheap = self.sort == "dealer in remainders" and rng.random() < 0.2
            if not self.console:
                self.tell("listing", (FIRST_DAY + day) * DAY + rng.uniform(6, 23) * HOUR, change="created",
                          count=rng.randint(*self.size), product_type=types[0], handling_days=rng.choice([1, 2, 2, 3, 5]),
                          price_permille=rng.randint(480, 700) if cheap else rng.randint(780, 1150))
            elif rng.random() < 0.1:
                self.signal("bulk_new_listings", (FIRST_DAY + day) * DAY + 9 * HOUR)
        for day in SALES_DAYS:  # a sale: prices down for a day
            if rng.random() < 0.3 and not self.console:
                self.tell("listing", (FIRST_DAY + day) * DAY, change="price", count=rng.randint(5, 300),
                          price_permille=rng.randint(520, 850))
        if rng.random() < 0.15 and not self.console:  # leave: longer handling
            self.tell("listing", self.any_time(), change="handling", count=rng.randint(10, 500),
                      handling_days=rng.randint(8, 21))

    def people(self):
        rng = self.rng
        if rng.random() < 0.25:  # staff turns over: some users within a week, one signs in from home
            at = self.any_time()
            for _ in range(rng.randint(1, 4)):
                self.signal("new_user_or_app", at + rng.uniform(0, 7) * DAY)
            if rng.random() < 0.15:
                self.signal("foreign_login_language", at + rng.uniform(0, 7) * DAY)
        if rng.random() < 0.15:  # somebody travels, and works at night
            at = self.any_time(late=True)
            for night in range(rng.randint(1, 5)):
                self.signal("foreign_login_language", at + night * DAY)
        if rng.random() < 0.2:
            self.signal("new_user_or_app", self.any_time(late=True))  # an app is tried out
        if rng.random() < 0.2:
            self.announced(["deposit_change"], self.any_time(), 0.3)
        if rng.random() < 0.15:
            self.announced(["email_phone_change"], self.any_time(late=True), 0.2)
        if rng.random() < 0.05:  # the firm moves or is sold: everything at once, mostly said before
            self.announced(["deposit_change", "email_phone_change", "new_user_or_app"], self.any_time(), 0.95)
        if rng.random() < 0.1:   # an agency comes: its users, sometimes its mail address
            at = self.any_time()
            self.announced(["new_user_or_app"] + ["email_phone_change"] * (rng.random() < 0.4), at, 0.6)
        if rng.random() < 0.08:
            first = rng.randrange(20, 250)
            self.closed.append((first, first + rng.choice([14, 21, 65, 80])))
        if rng.random() < 0.1:   # sold out
            self.tell("orders_cancelled", self.any_time(), count=rng.randint(2, 5 + int(self.orders * 3)))

    def announced(self, kinds, at, share):
        if self.rng.random() < share:
            self.tell("maintenance", at - 2 * HOUR, until=int(at + 3 * DAY), kinds=kinds)
        for kind in kinds:
            self.signal(kind, at + self.rng.uniform(0, 2) * DAY)

    # ---- intruders ----------------------------------------------------------------------------

    def attack(self):
        rng, sort = self.rng, self.rng.choice(["patient", "payout", "payout", "listing first", "orders", "clumsy"])
        at = start = (FIRST_DAY + rng.randrange(110, 340)) * DAY + rng.uniform(0, 24) * HOUR
        gap = {"patient": 20, "clumsy": 0.2}.get(sort, 4) * HOUR
        causes = []

        def did(kind, told=True):
            nonlocal at
            if told:
                self.signal(kind, at)
            causes.append((int(at), kind))
            at += rng.uniform(0.3, 1.7) * gap

        if sort in ("patient", "clumsy"):
            did(rng.choice(["foreign_login_language", "new_user_or_app"]))
            did("email_phone_change")
        if sort == "payout":
            first = ["foreign_login_language", "new_user_or_app", "email_phone_change"]
            for kind in rng.sample(first, rng.choice([1, 1, 2])):
                did(kind)
        if sort in ("payout", "clumsy") or sort == "patient" and rng.random() < 0.5:
            did("deposit_change")
        if sort != "payout":
            self.goods(did, lambda: at)
            if sort == "listing first":
                did("email_phone_change")
            self.flood(int(at), causes)
        causes.sort()
        self.year.truth.append({"account": self.name, "type": sort, "from": int(start),
                                "until": int(causes[-1][0] + 10 * DAY),
                                "causes": [[one, kind, GROUPS[kind]] for one, kind in causes]})

    def goods(self, did, now):
        """Things that sell at once, cheap, one upload or some."""
        rng, permille, days = self.rng, self.rng.randint(250, 620), self.rng.choice([2, 14, 21, 28, 35])
        for _ in range(rng.randint(1, 3)):
            if not self.console:
                self.tell("listing", now(), change="created", count=rng.randint(60, 4000), product_type=rng.choice(WANTED),
                          price_permille=permille, handling_days=days)
            did("bulk_new_listings", self.console)
        did("new_category", self.console)
        if permille < 600:
            did("price_cut", self.console)
        if days >= 14:
            did("handling_time", self.console)

    def flood(self, at, causes):
        rng = self.rng
        begin, flow = at + rng.uniform(1, 10) * HOUR, max(60, self.orders) * rng.uniform(2, 20)
        lock = begin + rng.uniform(1, 4.5) * DAY
        causes.append((int(begin), "order_burst"))
        for hour in range(int((lock - begin) // HOUR)):
            moment = int((begin + hour * HOUR) // HOUR)
            self.intruder[(moment // 24 - FIRST_DAY, moment % 24)] = max(0, round(rng.gauss(flow / 24, (flow / 24) ** 0.5)))
        if rng.random() < 0.4:
            self.tell("orders_cancelled", begin + 20 * HOUR, count=int(flow * rng.uniform(0.4, 1)))
            causes.append((int(begin + 20 * HOUR), "cancel_and_mail"))
        if rng.random() < 0.8:
            self.tell("account_status", lock, status="deactivated")
            causes.append((int(lock), "status_flip"))
        self.locked = lock


class Other:
    def __init__(self, seed, out):
        self.seed, self.out, self.truth = seed, out, []


def make(_variant, seed, accounts, takeovers, events, truth):
    chosen = set(random.Random(f"other/{seed}/chosen").sample(range(accounts), min(takeovers, accounts)))
    with open(events, "w", encoding="ascii") as out:
        year = Other(seed, out)
        for number in range(accounts):
            shop = Shop(year, number)
            shop.listings()
            shop.people()
            if number in chosen:
                shop.attack()
            shop.sell()
    with open(truth, "w", encoding="ascii") as out:
        out.write(json.dumps({"accounts": accounts, "months": DAYS / 30.4375}) + "\n")
        for one in year.truth:
            out.write(json.dumps(one) + "\n")

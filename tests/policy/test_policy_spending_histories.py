"""Budgets over random histories, beside plain sums of what was settled and is under way."""

import random
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import cache

import attrs
from hypothesis import given
from hypothesis import strategies as st

from tests.policy.spending_scenes import ANA, BEN, DAY, NOON, usd
from trio_llm.chat import Certainty, Cost, Subject
from trio_llm.policy.calendar import window
from trio_llm.policy.spending import OTHERS, BudgetStatus, Hold, Rule, Spending
from trio_llm.testing import seeds

RULES = (
    Rule("soft", usd(4), "day", "provider", alerts=(0.5, 1.0), on_limit="warn"),
    Rule("onward", usd(8), "week", "provider", on_limit="fall_on", time_zone="Europe/Zurich"),
    Rule("all", usd(10), "day"),
    Rule("each", usd(3), "day", "user", time_zone="Asia/Kathmandu"),
    Rule("big", usd(30), "total", "model", frozenset({"gpt"}), on_limit="fall_on"),
)
"""Some refuse and some let a balancer go on; only users are more than there are accounts."""

SUBJECTS = (
    ANA,
    BEN,
    *(attrs.evolve(ANA, user=name) for name in ("", "cid", "dora", "emil")),
)
PLACES = 2


@attrs.frozen
class Settled:
    """What became of one attempt, and when, on a clock that is never set back."""

    time: float
    subject: Subject
    expected: Decimal
    cost: Cost | None


@attrs.define
class Books:
    """Budgets, and beside them a list of all that happened."""

    spending: Spending = attrs.field(factory=lambda: Spending(RULES, PLACES))
    now: float = NOON
    latest: float = NOON
    holds: list[Hold] = attrs.field(factory=list[Hold])
    settled: list[Settled] = attrs.field(factory=list[Settled])
    reloaded: bool = False

    def wait(self, seconds: float) -> None:
        """Let time pass; less than none sets the clock back."""
        self.now += seconds
        self.latest = max(self.latest, self.now)

    def reserve(self, subject: Subject, expected: Decimal | None) -> Hold | None:
        """Ask for room, which there is or is not, as the plain sums say."""
        seen = self.spending.obstacle(self.now, subject, expected)
        hold = self.spending.reserve(self.now, subject, expected)
        if not isinstance(hold, Hold):
            assert hold == seen
            assert hold.account == OTHERS or not self.fits(hold.rule, subject, expected)
            return None
        assert seen is None
        full = [rule for rule in self.spending.rules if not self.fits(rule, subject, expected)]
        assert [each.rule for each in hold.warned] == full
        assert all(rule.on_limit == "warn" for rule in full)
        self.holds.append(hold)
        return hold

    def settle(self, hold: Hold, cost: Cost | None) -> None:
        """End an attempt with its bill."""
        self.holds.remove(hold)
        self.settled.append(Settled(self.latest, hold.subject, hold.expected, cost))
        alerts = self.spending.settle(self.now, hold, cost)
        assert list(alerts) == sorted(alerts, key=lambda alert: alert.threshold)

    def release(self, hold: Hold) -> None:
        """End an attempt that was not made."""
        self.holds.remove(hold)
        self.spending.release(self.now, hold)

    def reload(self) -> None:
        """Count users by the week instead of the day, or the other way round, and restore."""
        self.reloaded = True
        periods = {"day": "week", "week": "day"}
        rules = [
            attrs.evolve(rule, period=periods[rule.period]) if rule.name == "each" else rule
            for rule in self.spending.rules
        ]
        for rule in self.spending.reconfigure(rules):
            start = start_of(self.latest, rule.period, rule.time_zone)
            for name in sorted({rule.account(subject) or "" for subject in SUBJECTS}):
                costs = [each.cost for each in self.booked(rule, name)]
                total, unpriced = Cost.total(costs), costs.count(None)
                self.spending.restore(rule.name, name, total, unpriced, start)

    def booked(self, rule: Rule, name: str | None = None) -> list[Settled]:
        """Give what was settled in the present period, by one name or by all."""
        start = start_of(self.latest, rule.period, rule.time_zone)
        return [
            each for each in self.settled if each.time >= start and is_of(rule, each.subject, name)
        ]

    def spent(self, rule: Rule, name: str | None = None) -> Decimal:
        """Add up what was settled."""
        return Cost.total(each.cost or Cost() for each in self.booked(rule, name)).amount

    def reserved(self, rule: Rule, name: str | None = None) -> Decimal:
        """Add up what is set aside."""
        return sum((h.expected for h in self.holds if is_of(rule, h.subject, name)), Decimal(0))

    def fits(self, rule: Rule, subject: Subject, expected: Decimal | None) -> bool:
        """Whether one has room by what they used themselves."""
        name = rule.account(subject)
        if name is None or expected == 0:
            return True
        used = self.spent(rule, name) + self.reserved(rule, name)
        return used < rule.limit if expected is None else used + expected <= rule.limit

    def check(self) -> None:
        """Compare the books with the plain sums."""
        snapshot = self.spending.snapshot(self.now)
        assert all(each.spent >= 0 and each.reserved >= 0 for each in snapshot)
        for rule in self.spending.rules:
            statuses = [each for each in snapshot if each.name == rule.name]
            self.check_sums(rule, statuses)
            for name in sorted({rule.account(subject) or "" for subject in SUBJECTS}):
                self.check_name(rule, name, {each.account: each for each in statuses})

    def check_sums(self, rule: Rule, statuses: Sequence[BudgetStatus]) -> None:
        """Compare a budget as a whole; the accounts are as many as there may be."""
        booked = self.booked(rule)
        assert len(statuses) <= PLACES + 1
        assert sum(each.spent for each in statuses) == self.spent(rule)
        assert sum(each.reserved for each in statuses) == self.reserved(rule)
        assert sum(each.unpriced for each in statuses) == sum(each.cost is None for each in booked)
        marks = [Certainty.AT_LEAST if e.cost is None else e.cost.certainty for e in booked]
        assert max([each.certainty for each in statuses], default=0) == max(marks, default=0)

    def check_name(self, rule: Rule, name: str, statuses: dict[str, BudgetStatus]) -> None:
        """Compare what one name has; above the limit are only the errors of its estimates."""
        spent, reserved = self.spent(rule, name), self.reserved(rule, name)
        if name in statuses and OTHERS not in statuses:
            assert (statuses[name].spent, statuses[name].reserved) == (spent, reserved)
        if rule.on_limit == "warn" or self.reloaded:
            return
        errors = sum(
            max(Decimal(0), each.cost.amount - each.expected)
            for each in self.booked(rule, name)
            if each.cost is not None
        )
        assert spent + reserved <= rule.limit + errors

    def close(self) -> None:
        """Settle whatever is left; then nothing is set aside."""
        for hold in tuple(self.holds):
            self.settle(hold, Cost(hold.expected))
        self.check()
        assert all(each.reserved == 0 for each in self.spending.snapshot(self.now))


@cache
def start_of(now: float, period: str, time_zone: str) -> float:
    """Give the start of a period."""
    return window(now, period, time_zone).start


def is_of(rule: Rule, subject: Subject, name: str | None) -> bool:
    """Whether an attempt belongs to a name's account of a budget, or to any of it."""
    account = rule.account(subject)
    return account is not None and name in {None, account}


def some_amount(rng: random.Random, most: int = 200) -> Decimal:
    """Give an amount up to two dollars, now and then nothing, down to the last digit."""
    return rng.choice((Decimal(0), usd(1), *(usd(f"{rng.randrange(most) / 100}1") for _ in "1234")))


def caller(books: Books, rng: random.Random) -> Iterator[None]:
    """Make some calls, one after the other; anything may happen between their steps."""
    for _ in range(rng.randrange(1, 6)):
        expected = None if rng.random() < 0.1 else some_amount(rng)
        hold = books.reserve(rng.choice(SUBJECTS), expected)
        yield
        if hold is None:
            continue
        fate = rng.random()
        if fate < 0.2:
            books.release(hold)
        elif fate < 0.3:
            books.settle(hold, None)
        else:
            books.settle(hold, Cost(some_amount(rng), rng.choice(list(Certainty))))
        yield


def test_concurrent_callers_exceed_no_limit_but_by_their_errors() -> None:
    """Whatever order their steps come in, and whatever the clock does meanwhile."""
    for seed in seeds(1000):
        rng = random.Random(seed)
        books = Books()
        callers = [caller(books, rng) for _ in range(rng.randrange(1, 16))]
        while callers:
            step = rng.choice(callers)
            if next(step, step) is step:
                callers.remove(step)
            books.check()
            books.wait(rng.choice((0.0, 0.0, 1.0, 600.0, -300.0, 3600.0, DAY / 3)))
        books.close()


AMOUNTS = st.integers(0, 500).map(lambda cents: usd(cents) / 100)
COSTS = st.builds(Cost, AMOUNTS, st.sampled_from(list(Certainty)))
STEPS = st.one_of(
    st.tuples(st.just("reserve"), st.sampled_from(SUBJECTS), st.none() | AMOUNTS),
    st.tuples(st.just("settle"), st.integers(0, 9), st.none() | COSTS),
    st.tuples(st.just("release"), st.integers(0, 9)),
    st.tuples(st.just("wait"), st.sampled_from((1.0, 3600.0, -7200.0, DAY / 2, DAY, 7 * DAY))),
    st.tuples(st.just("reload")),
)


@given(st.lists(STEPS, max_size=40))
def test_the_books_are_the_sums_of_what_happened(steps: list[tuple[object, ...]]) -> None:
    """Over days, reloads and restorations, in every budget and every account."""
    books = Books()
    for step in steps:
        match step:
            case ("reserve", Subject() as subject, Decimal() | None as expected):
                books.reserve(subject, expected)
            case ("settle", int(index), Cost() | None as cost) if books.holds:
                books.settle(books.holds[index % len(books.holds)], cost)
            case ("release", int(index)) if books.holds:
                books.release(books.holds[index % len(books.holds)])
            case ("wait", float(seconds)):
                books.wait(seconds)
            case ("reload",):
                books.reload()
            case _:
                continue
        books.check()
    books.close()

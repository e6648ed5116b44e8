"""Hedges stay a share of the calls and of the spend, at every instant."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.policy.nearness import near
from trio_llm.policy.hedging import HedgeBudget, delay_from
from trio_llm.policy.latency import RotatingHistogram

COSTS = st.sampled_from([0.0, 0.001, 0.01, 0.5]) | st.floats(0.0, 10.0)
SHARES = st.sampled_from([0.0, 0.05, 0.1, 0.5, 1.0, 2.0])


class Books:
    """Calls and hedges as they really were, beside the budget that allowed them."""

    def __init__(self, budget: HedgeBudget) -> None:
        self.budget = budget
        self.calls = self.hedges = 0
        self.spend = self.extra = self.dearest = 0.0

    def call(self, cost: float) -> None:
        self.budget.called(cost)
        self.calls += 1
        self.spend += cost
        self.dearest = max(self.dearest, cost)

    def hedge(self, cost: float) -> bool:
        """Hedge if the budget allows it, and check that it kept its promise."""
        if not self.budget.may_hedge(cost):
            return False
        self.budget.hedged(cost)
        self.hedges += 1
        self.extra += cost
        assert self.hedges <= self.budget.max_extra_calls * self.calls + 1.0 + 1e-6
        within = self.budget.max_extra_cost * self.spend + self.dearest
        assert self.extra <= within + 1e-6 * (1.0 + within)
        return True


@given(st.lists(st.tuples(COSTS, st.lists(COSTS, max_size=3)), max_size=100), SHARES, SHARES)
def test_hedges_never_exceed_their_share(
    happenings: list[tuple[float, list[float]]], of_calls: float, of_spend: float
) -> None:
    """At every instant: share of the calls plus one, share of the spend plus one call's cost."""
    books = Books(HedgeBudget(of_calls, of_spend))
    for cost, hedges in happenings:
        books.call(cost)
        for wanted in hedges:
            books.hedge(wanted)


@pytest.mark.parametrize("seed", range(5))
def test_the_share_holds_over_many_thousand_calls(seed: int) -> None:
    """What is forgotten is only what was not used: the promise is about all that has been."""
    rng = random.Random(seed)
    books = Books(HedgeBudget())
    for _ in range(20):
        eager = rng.choice([0.0, 0.05, 0.5, 1.0])
        for _ in range(rng.randrange(100, 3000)):
            books.call(rng.expovariate(100.0))
            if rng.random() < eager:
                books.hedge(rng.expovariate(100.0))


@pytest.mark.parametrize(("share", "hedges"), [(0.1, 3000), (0.0123, 369)])
@pytest.mark.parametrize("cost", [0.0, 0.01])
def test_the_whole_share_can_be_used_and_no_more(share: float, hedges: int, cost: float) -> None:
    """Where every call wants a hedge, exactly the share of them gets one; debts are kept."""
    of_calls, of_spend = Books(HedgeBudget(share, 10.0)), Books(HedgeBudget(10.0, share))
    for _ in range(30_000):
        of_calls.call(cost)
        of_calls.hedge(cost)
        of_spend.call(0.01)
        of_spend.hedge(0.01)
    assert hedges - 1 <= of_calls.hedges <= hedges + 1
    assert hedges - 1 <= of_spend.hedges <= hedges + 1


def test_the_first_call_can_be_hedged() -> None:
    """One hedge may run ahead of the calls that pay for it, and not a second one."""
    books = Books(HedgeBudget())
    assert not books.budget.may_hedge(0.0)
    books.call(0.02)
    assert books.hedge(0.02)
    assert not books.hedge(0.0)


@pytest.mark.parametrize("shares", [(0.1, 10.0), (10.0, 0.1)])
def test_a_quiet_day_is_not_spent_in_a_slow_hour(shares: tuple[float, float]) -> None:
    """After very many calls without hedges, a burst is what two thousand calls earn at most."""
    books = Books(HedgeBudget(*shares))
    for _ in range(100_000):
        books.call(0.01)
    while books.hedges < 1000 and books.hedge(0.01):
        pass
    assert 100 <= books.hedges <= 201


def test_a_dear_hedge_waits_until_it_can_be_paid() -> None:
    """A hedge much dearer than the calls is refused until their share has come to its cost."""
    books = Books(HedgeBudget())
    books.call(0.01)
    assert not books.hedge(1.0)
    for _ in range(979):
        books.call(0.01)
    assert not books.hedge(1.0)
    for _ in range(19):
        books.call(0.01)
    assert books.hedge(1.0)
    assert not books.hedge(0.02)
    assert books.hedge(0.0)


@given(st.lists(COSTS, max_size=50), COSTS)
def test_a_share_of_nothing_forbids(costs: list[float], wanted: float) -> None:
    """Without a share of the calls there are no hedges; without one of the spend, free ones."""
    never, free = HedgeBudget(0.0, 1.0), HedgeBudget(1.0, 0.0)
    for cost in [*costs, 1.0]:
        never.called(cost)
        free.called(cost)
    assert not never.may_hedge(wanted)
    assert free.may_hedge(wanted) == (wanted == 0.0)


@given(st.lists(COSTS, min_size=1, max_size=50), COSTS)
def test_infinity_sets_no_limit(costs: list[float], wanted: float) -> None:
    """With infinite shares every call can be hedged, at any cost, again and again."""
    books = Books(HedgeBudget(math.inf, math.inf))
    for cost in costs:
        books.budget.called(cost)
        for _ in range(3):
            assert books.budget.may_hedge(wanted)
            books.budget.hedged(wanted)


def test_a_delay_is_a_percentile_once_enough_is_known() -> None:
    """Until the least number of samples there is no delay; old samples do not count for it."""
    histogram = RotatingHistogram()
    for number in range(1, 21):
        assert delay_from(histogram, 0.0, 0.95, 20) is None
        histogram.observe(0.0, float(number))
    assert delay_from(histogram, 0.0, 0.95, 20) == near(19.0, rel=0.05)
    assert delay_from(histogram, 1000.0, 0.95, 20) is None
    assert delay_from(RotatingHistogram(), 0.0, 0.95, 0) is None

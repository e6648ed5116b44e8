"""Choosers: they give everybody's name, prefer what is better, and starve nobody."""

import random
from collections import Counter
from collections.abc import Callable

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.policy.nearness import near
from trio_llm.policy.preference import (
    Standing,
    adaptive,
    least_busy,
    least_cost,
    least_latency,
    race_score,
)
from trio_llm.policy.vitals import Vitals
from trio_llm.testing import seeds

STANDINGS = st.lists(
    st.builds(
        Standing,
        name=st.sampled_from("abcdefgh"),
        in_flight=st.integers(0, 20),
        places=st.none() | st.integers(1, 20),
        latency=st.none() | st.floats(0.0, 1e5),
        success_rate=st.none() | st.floats(0.0, 1.0),
        cost=st.none() | st.floats(0.0, 100.0),
        samples=st.floats(0.0, 200.0),
    ),
    unique_by=lambda standing: standing.name,
    max_size=8,
)


def _never(_name: str) -> int:
    return 0


CHOOSERS: list[Callable[[list[Standing], random.Random], list[str]]] = [
    lambda standings, _rng: least_busy(standings, _never),
    least_latency,
    lambda standings, _rng: least_cost(standings),
    adaptive,
    lambda standings, rng: adaptive(standings, rng, exploration=1.0),
]


@pytest.mark.parametrize("chooser", CHOOSERS)
@given(standings=STANDINGS, seed=st.integers(0, 10_000))
def test_everybody_is_named_once_and_the_same_draw_gives_the_same_order(
    chooser: Callable[[list[Standing], random.Random], list[str]],
    standings: list[Standing],
    seed: int,
) -> None:
    """Every chooser permutes the names, and depends on nothing but its arguments."""
    order = chooser(standings, random.Random(seed))
    assert sorted(order) == sorted(standing.name for standing in standings)
    assert order == chooser(list(standings), random.Random(seed))


@settings(max_examples=len(seeds(30, share=3)), deadline=None)  # thousands of draws each
@given(st.integers(2, 6), st.integers(0, 1000), st.sampled_from([least_latency, adaptive]))
def test_equals_get_equal_shares(
    number: int,
    seed: int,
    chooser: Callable[[list[Standing], random.Random], list[str]],
) -> None:
    """Members of which the same is known are first equally often."""
    standings = [
        Standing(name, latency=2.0, success_rate=0.9, cost=0.01, samples=50.0)
        for name in "abcdef"[:number]
    ]
    rng, draws = random.Random(seed), 600 * number
    firsts = Counter(chooser(standings, rng)[0] for _ in range(draws))
    assert len(firsts) == number
    assert all(abs(times - 600) < 150 for times in firsts.values())


def test_the_least_busy_has_the_smallest_share_of_its_places_taken() -> None:
    """Three of ten is less busy than one of two; no limit counts as the largest limit."""
    standings = [
        Standing("half", in_flight=1, places=2),
        Standing("third", in_flight=3, places=10),
        Standing("free", in_flight=2, places=None),
        Standing("full", in_flight=4, places=4),
    ]
    assert least_busy(standings, _never) == ["free", "third", "half", "full"]


def test_those_without_limits_are_compared_by_their_calls() -> None:
    """Where nobody has a limit, fewer calls in flight is less busy."""
    standings = [Standing("two", in_flight=2), Standing("one", in_flight=1)]
    assert least_busy(standings, _never) == ["one", "two"]


def test_the_least_busy_take_turns() -> None:
    """Equally busy members are served in rotation, whoever has waited longest first."""
    standings = [Standing(name) for name in "abc"]
    last: dict[str, int] = {}
    served = ""
    for number in range(1, 10):
        name = least_busy(standings, lambda name: last.get(name, 0))[0]
        last[name] = number
        served += name
    assert served == "abcabcabc"


@given(STANDINGS.filter(lambda standings: len(standings) > 1), st.integers(0, 1000))
def test_the_first_by_latency_is_the_faster_of_two(standings: list[Standing], seed: int) -> None:
    """The first is no slower than another one, and the rest follow by latency."""
    latency = {standing.name: standing.latency or 0.0 for standing in standings}
    first, *rest = least_latency(standings, random.Random(seed))
    assert latency[first] <= max(latency[name] for name in rest)
    assert [latency[name] for name in rest] == sorted(latency[name] for name in rest)


def test_the_fastest_is_first_whenever_it_is_drawn() -> None:
    """With five members the fastest leads two draws of five, and the slowest never."""
    rng = random.Random(3)
    standings = [Standing(name, latency=float(n)) for n, name in enumerate("abcde", 1)]
    firsts = Counter(least_latency(standings, rng)[0] for _ in range(10_000))
    shares = [firsts[name] / 10_000 for name in "abcde"]
    assert shares == near([0.4, 0.3, 0.2, 0.1, 0.0], within=0.02)


def _served(
    latencies: dict[str, float],
    choose: Callable[[list[Standing]], list[str]],
    calls: int,
    *,
    fails: str = "",
) -> list[str]:
    """Let members with these latencies serve one call a second; give who served, in order."""
    members = {name: Vitals() for name in latencies}
    served: list[str] = []
    for now in range(calls):
        standings = [
            Standing(
                name,
                in_flight=vitals.outstanding,
                latency=vitals.score(now),
                success_rate=vitals.success.value(),
                samples=vitals.success.weight,
            )
            for name, vitals in members.items()
        ]
        name = choose(standings)[0]
        served.append(name)
        if name in fails:
            members[name].failed(now, 0.01)
        else:
            members[name].answered(now, latencies[name])
    return served


@pytest.mark.parametrize("number", range(2, 5))
@pytest.mark.parametrize("chooser", [least_latency, adaptive])
def test_nobody_starves(
    number: int, chooser: Callable[[list[Standing], random.Random], list[str]]
) -> None:
    """The slowest is tried now and then, for ever, while the fastest serves most calls."""
    latencies = dict(list({"slow": 20.0, "fast": 1.0, "fair": 3.0, "poor": 9.0}.items())[:number])
    rng = random.Random(11)
    served = _served(latencies, lambda standings: chooser(standings, rng), 8000)
    for part in (served[:4000], served[4000:]):
        firsts = Counter(part)
        assert all(firsts[name] > 0 for name in latencies)
        assert firsts.most_common(1)[0][0] == "fast"


def test_a_member_that_fails_fast_does_not_draw_the_calls() -> None:
    """One that fails within 10 ms gets few calls beside one that answers within 2 s."""
    rng = random.Random(4)
    latencies = {"broken": 0.01, "sound": 2.0}
    by_latency = _served(latencies, lambda s: least_latency(s, rng), 5000, fails="broken")
    assert 0 < by_latency.count("broken") < 250
    by_utility = _served(latencies, lambda s: adaptive(s, rng), 5000, fails="broken")
    assert 0 < by_utility.count("broken") < 500


def test_the_cheapest_goes_first_and_the_unknown_last() -> None:
    """By known cost, then by calls in flight, then by declared order; free is known."""
    standings = [
        Standing("unknown"),
        Standing("dear", cost=0.5),
        Standing("busy", in_flight=3, cost=0.1),
        Standing("idle", cost=0.1),
        Standing("also idle", cost=0.1),
        Standing("free", cost=0.0),
    ]
    assert least_cost(standings) == ["free", "idle", "also idle", "busy", "dear", "unknown"]


BETTER = st.floats(1.05, 20.0)


@given(
    STANDINGS.filter(bool),
    st.floats(0.001, 100.0),
    st.floats(0.05, 0.9),
    st.floats(0.001, 1.0),
    st.tuples(BETTER, BETTER, BETTER),
    st.integers(0, 1000),
)
def test_one_that_is_better_in_all_respects_goes_first(
    standings: list[Standing],
    latency: float,
    success_rate: float,
    cost: float,
    better: tuple[float, float, float],
    seed: int,
) -> None:
    """Without exploration, whoever is faster, sounder and cheaper than all others leads."""
    others = [
        attrs.evolve(
            standing,
            latency=latency * better[0] + (standing.latency or 0.0),
            success_rate=success_rate / better[1] * (standing.success_rate or 1.0),
            cost=cost * better[2] + (standing.cost or 0.0),
        )
        for standing in standings
    ]
    best = Standing("best", latency=latency, success_rate=success_rate, cost=cost)
    place = seed % (len(others) + 1)
    row = [*others[:place], best, *others[place:]]
    assert adaptive(row, random.Random(seed), exploration=0.0)[0] == "best"
    assert least_cost(row)[0] == "best"
    assert "best" in least_latency(row, random.Random(seed))[:2]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Standing("one", success_rate=1.0, latency=3.9), Standing("other", success_rate=0.5)),
        (Standing("one", cost=0.0), Standing("other", cost=0.01)),
        (Standing("one", cost=0.01, success_rate=0.95), Standing("other", cost=None)),
        (Standing("one", latency=None), Standing("other", latency=1.0, success_rate=0.99)),
        (Standing("one", success_rate=None), Standing("other", success_rate=0.9)),
    ],
)
def test_utility_weighs_soundness_speed_and_cost(one: Standing, other: Standing) -> None:
    """Soundness before speed, free before dear; doubt speaks for the untried, not its price."""
    fast = Standing("fast", latency=0.5, success_rate=0.01, cost=0.02)
    for row in ([one, other, fast], [fast, other, one]):
        assert adaptive(row, random.Random(0), exploration=0.0)[0] == "one"


def test_exploration_has_its_share_and_prefers_the_unknown() -> None:
    """A twentieth of the requests tries another than the best, those of few samples first."""
    rng = random.Random(9)
    standings = [
        Standing("best", latency=1.0, success_rate=1.0, samples=140.0),
        Standing("known", latency=5.0, success_rate=1.0, samples=99.0),
        Standing("little known", latency=9.0, success_rate=1.0, samples=9.0),
    ]
    firsts = Counter(adaptive(standings, rng)[0] for _ in range(20_000))
    explored = firsts["known"] + firsts["little known"]
    assert explored / 20_000 == near(0.05, within=0.005)
    assert firsts["little known"] / explored == near(10.0 / 11.0, within=0.03)


@given(st.floats(0.0, 1.0), st.floats(0.0, 3600.0), st.floats(0.0, 3600.0))
def test_a_race_score_is_a_win_rate_cut_by_slowness(
    win_rate: float, seconds: float, fastest: float
) -> None:
    """The fastest keeps its whole win rate, and nobody has more, or loses it all."""
    score = race_score(win_rate, seconds, fastest)
    assert score <= win_rate
    assert race_score(win_rate, seconds, seconds) == win_rate
    assert (score > 0.0) == (win_rate * 1e-6 > 0.0) or 0.0 < win_rate < 1e-300


def test_a_race_score_halves_with_twice_the_time() -> None:
    """Twice as slow is worth half; who wins twice as often may be twice as slow."""
    assert race_score(0.8, 4.0, 2.0) == near(0.4)
    assert race_score(0.8, 4.0, 2.0) == race_score(0.4, 2.0, 2.0)
    assert race_score(0.5, 0.0, 0.0) == 0.5

"""Which member to ask first: pure choosers over what is known of each."""

import random
from collections.abc import Callable, Sequence
from typing import Final

import attrs

RELIABILITY_WEIGHT: Final = 3.0
"""Exponent of the success rate: one that fails every other call is worth an eighth."""

LATENCY_WEIGHT: Final = 1.0
"""Exponent of the latency factor: twice as slow is worth half."""

COST_WEIGHT: Final = 0.5
"""Exponent of the cost factor: four times as dear is worth half."""

SMALL_LATENCY: Final = 0.1
"""Seconds added to every latency: far below it, nobody notices which one is faster."""

SMALL_COST: Final = 0.001
"""US dollars added to every cost: far below it, nobody minds; free is not infinitely good."""

_SHORTEST: Final = 0.001


@attrs.frozen
class Standing:
    """What speaks for and against one member, for one request.

    Attributes:
        name: The member.
        in_flight: Its calls under way.
        places: How many it can have; ``None`` when there is no limit.
        latency: Score in seconds, less is better; ``None`` when unknown.
        success_rate: From 0 to 1; ``None`` when unknown.
        cost: US dollars for this request; ``None`` when unknown.
        samples: How many calls this knowledge comes from.
    """

    name: str
    in_flight: int = 0
    places: int | None = None
    latency: float | None = None
    success_rate: float | None = None
    cost: float | None = None
    samples: float = 0.0


def least_busy(standings: Sequence[Standing], turn: Callable[[str], int]) -> list[str]:
    """Give all names, the one with the smallest share of its places taken first.

    Ties go to the one that has waited longest. A member without a limit counts as
    having as many places as the largest of the others.

    Args:
        standings: In declared order.
        turn: When a member was last served: greater is later.
    """
    most = max((s.places for s in standings if s.places is not None), default=1)

    def key(standing: Standing) -> tuple[float, int]:
        places = most if standing.places is None else standing.places
        return standing.in_flight / max(places, 1), turn(standing.name)

    return [standing.name for standing in sorted(standings, key=key)]


def least_latency(standings: Sequence[Standing], rng: random.Random) -> list[str]:
    """Give all names, the faster of two drawn at random first, the rest by latency.

    Two random choices spread a burst of calls, where always taking the fastest sends
    them all to one place before it can look slow (M. Mitzenmacher, "The Power of Two
    Choices in Randomized Load Balancing", 2001). An unknown latency counts as none. The
    slowest of all is tried again because silence wears its score away (`PeakEwma`).

    Args:
        standings: In declared order.
        rng: Source of the draw.
    """
    names = [standing.name for standing in sorted(standings, key=_latency)]
    if len(names) < 2:
        return names
    one = int(rng.random() * len(standings))
    two = int(rng.random() * (len(standings) - 1))
    two += two >= one
    # The first of two equals, so that ties are decided by the draw.
    first = min(standings[one], standings[two], key=_latency).name
    names.remove(first)
    return [first, *names]


def least_cost(standings: Sequence[Standing]) -> list[str]:
    """Give all names, the cheapest first; an unknown cost comes last.

    Ties go to the one with fewer calls in flight, then by declared order.
    """

    def key(standing: Standing) -> tuple[bool, float, int]:
        return standing.cost is None, standing.cost or 0.0, standing.in_flight

    return [standing.name for standing in sorted(standings, key=key)]


def adaptive(
    standings: Sequence[Standing], rng: random.Random, *, exploration: float = 0.05
) -> list[str]:
    """Give all names, the one of greatest utility first.

    ``utility = success_rate**3 * latency_factor * cost_factor**0.5``, where a factor is
    ``(best + small) / (own + small)``, from 0 to 1. What has not been tried counts as
    sound and as fast as the fastest, so that it is tried; an unknown cost counts as the
    dearest. Equals are put in a random order.

    Now and then another member than the best goes first, those of few samples more
    often, so that one that has become better is found out.

    Args:
        standings: In declared order.
        rng: Source of every choice; the same generator gives the same order.
        exploration: Share of the requests that try another than the best.
    """
    fastest = min((s.latency for s in standings if s.latency is not None), default=0.0)
    costs = [s.cost for s in standings if s.cost is not None]
    cheapest, dearest = min(costs, default=0.0), max(costs, default=0.0)

    def key(standing: Standing) -> tuple[float, float]:
        rate = 1.0 if standing.success_rate is None else standing.success_rate
        latency = fastest if standing.latency is None else standing.latency
        cost = dearest if standing.cost is None else standing.cost
        latency_factor = (fastest + SMALL_LATENCY) / (latency + SMALL_LATENCY)
        cost_factor = (cheapest + SMALL_COST) / (cost + SMALL_COST)
        utility = (
            rate**RELIABILITY_WEIGHT * latency_factor**LATENCY_WEIGHT * cost_factor**COST_WEIGHT
        )
        return -utility, rng.random()

    ranked = sorted(standings, key=key)
    if len(ranked) > 1 and rng.random() < exploration:
        others = ranked[1:]
        explored = rng.choices(others, [1.0 / (1.0 + other.samples) for other in others])[0]
        ranked.remove(explored)
        ranked.insert(0, explored)
    return [standing.name for standing in ranked]


def race_score(win_rate: float, seconds: float, fastest: float) -> float:
    """Give the score of one answer in a weighted race: win rate times latency factor.

    The latency factor is ``fastest / seconds``, above 0 and at most 1; what is faster
    than a millisecond counts as a millisecond.

    Args:
        win_rate: Share of its races that it won, recent ones first.
        seconds: How long its answer took.
        fastest: How long the fastest answer of this race took, in seconds.
    """
    return win_rate * min(max(fastest, _SHORTEST) / max(seconds, _SHORTEST), 1.0)


def _latency(standing: Standing) -> float:
    return standing.latency or 0.0

"""Random trees with hedges in them, and the rule of a hedge, computed without the runtime."""

import math
import random
from typing import Any, TypeAlias

import attrs

from tests.guarantees.scenes import Cast, Leaf
from trio_llm import Config, Fallback, Hedge, LoadBalance, Race
from trio_llm.config.schema import Member
from trio_llm.testing import Answers, Fails, Step

Outcome: TypeAlias = tuple[float, str | None]
"""When something is decided, and by whom; ``None`` when it fails."""


@attrs.frozen
class Branching:
    """A balancer: ``hedge``, ``race``, ``fallback`` or ``load_balance``."""

    name: str
    kind: str
    members: "tuple[Planned, ...]"
    delay: float = 0.0


Planned: TypeAlias = Leaf | Branching


def draw(rng: random.Random, depth: int, name: str = "n") -> Planned:
    """Draw a tree in which many things happen in the same instant; its root is a hedge."""
    if depth == 0 or (name != "n" and rng.random() < 0.4):
        return Leaf(name, rng.choice((0.5, 1.0, 1.0, 1.5)), rng.random() < 0.6, rng.randrange(5))
    kind = "hedge" if name == "n" else rng.choice(("hedge", "hedge", "race", "fallback"))
    members = tuple(draw(rng, depth - 1, f"{name}{index}") for index in range(rng.randint(2, 4)))
    return Branching(name, kind, members, rng.choice((0.0, 0.5, 0.5, 1.0)))


def foresee(planned: Planned, start: float = 0.0) -> Outcome:
    """Compute how a tree is decided."""
    if isinstance(planned, Leaf):
        return start + planned.after, planned.name if planned.succeeds else None
    if planned.kind == "hedge":
        return _hedge(planned, start)
    if planned.kind == "fallback":
        winner = None
        for member in planned.members:
            start, winner = foresee(member, start)
            if winner is not None:
                break
        return start, winner
    outcomes = [foresee(member, start) for member in planned.members]
    successes = [outcome for outcome in outcomes if outcome[1] is not None]
    if successes:
        return min(successes, key=lambda outcome: outcome[0])
    return max(stamp for stamp, _ in outcomes), None


def _hedge(planned: Branching, start: float) -> Outcome:
    """Play a hedge by its rule; the budget of a first call allows one hedge."""
    queue = list(planned.members)
    running: dict[int, Outcome] = {}
    due = math.inf
    hedged = False

    def ask(now: float) -> None:
        nonlocal due
        if queue:
            running[len(planned.members) - len(queue)] = foresee(queue.pop(0), now)
        due = now + planned.delay if queue and not hedged else math.inf

    ask(start)
    while True:
        stamp = min(outcome[0] for outcome in running.values())
        if due <= stamp:
            hedged = True
            ask(due)
            continue
        for index in [index for index, outcome in running.items() if outcome[0] == stamp]:
            winner = running[index][1]
            if winner is not None:
                return stamp, winner
            del running[index]
            ask(stamp)
        if not running:
            return stamp, None


def stage(planned: Planned, cast: Cast) -> Member:
    """Turn a planned tree into a configuration."""
    if isinstance(planned, Leaf):
        step: Step = Answers(planned.name, after=planned.after, passes=planned.passes)
        if not planned.succeeds:
            step = Fails(after=planned.after, passes=planned.passes)
        return cast.provider(planned.name, step)
    members = tuple(stage(member, cast) for member in planned.members)
    if planned.kind == "hedge":
        return Hedge(members, name=planned.name, delay=planned.delay, max_extra_calls=1.0)
    if planned.kind == "race":
        return Race(members, name=planned.name)
    if planned.kind == "fallback":
        return Fallback(members, name=planned.name)
    return LoadBalance(members, name=planned.name)


def configure(planned: Planned, cast: Cast, **settings: Any) -> Config:
    """Make the configuration of a planned tree."""
    return Config(default=stage(planned, cast), **settings)

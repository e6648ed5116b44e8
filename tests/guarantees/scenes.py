"""What the tests of the guarantees share: scripted casts, random trees, and the rule of a race."""

import math
import random
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import attrs

from trio_llm import Config, Fallback, LoadBalance, Provider, Race, Runtime
from trio_llm.config.schema import Member
from trio_llm.providers.backend import Work
from trio_llm.testing import Answers, Entry, Fails, ScriptedProvider, Step
from trio_llm.testing.script import Script


@attrs.define(eq=False)
class Cast:
    """The scripted providers of one scenario, by name."""

    scripts: dict[str, ScriptedProvider] = attrs.field(factory=dict[str, ScriptedProvider])

    def provider(self, name: str, script: Script, **settings: Any) -> Provider:
        """Add a provider that follows a script."""
        self.scripts[name] = ScriptedProvider(script)
        return Provider("custom", name, cls=self.scripts[name], **settings)

    @property
    def running(self) -> int:
        """How many attempts run at all of them."""
        return sum(script.running for script in self.scripts.values())

    @property
    def started(self) -> int:
        """How many attempts all of them have met."""
        return sum(script.started for script in self.scripts.values())


def assert_idle(cast: Cast, llm: Runtime) -> None:
    """Demand that nothing runs, waits or occupies a place."""
    assert cast.running == 0
    for status in llm.status():
        assert (status.name, status.in_flight, status.queued, status.occupied) == (
            status.name,
            0,
            0,
            False,
        )


def kinds(log: Sequence[Entry], kind: str) -> list[Entry]:
    """Give the entries of one kind."""
    return [entry for entry in log if entry.kind == kind]


def field(entry: Entry, name: str) -> Any:
    """Give one particular of an entry."""
    return dict(entry.fields)[name]


def steps_later(instant: float, steps: int = 8) -> float:
    """Give an instant so few steps of the clock later that it counts as the same."""
    for _ in range(steps):
        instant = math.nextafter(instant, math.inf)
    return instant


@attrs.frozen
class Leaf:
    """A provider of a planned world: when it answers or fails, and through how many passes."""

    name: str
    after: float
    succeeds: bool
    passes: int


@attrs.frozen
class Branching:
    """A balancer of a planned world: ``race``, ``fallback`` or ``load_balance``."""

    name: str
    kind: str
    members: "tuple[Planned, ...]"


Planned: TypeAlias = Leaf | Branching


def draw(rng: random.Random, depth: int, name: str = "n") -> Planned:
    """Draw a tree in which many things happen in the same instant.

    Times are halves of a second, so that sums of them are exact.
    """
    if depth == 0 or (name != "n" and rng.random() < 0.4):
        return Leaf(name, rng.choice((0.5, 1.0, 1.0, 1.5)), rng.random() < 0.7, rng.randrange(5))
    kind = rng.choice(("race", "race", "fallback", "load_balance"))
    members = tuple(draw(rng, depth - 1, f"{name}{index}") for index in range(rng.randint(2, 3)))
    return Branching(name, kind, members)


def foresee(planned: Planned, start: float = 0.0) -> tuple[float, str | None]:
    """Compute when a planned tree is decided, and by whom; ``None`` when it fails."""
    if isinstance(planned, Leaf):
        return start + planned.after, planned.name if planned.succeeds else None
    if planned.kind == "load_balance":
        return foresee(planned.members[0], start)
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


def stage(planned: Planned, cast: Cast) -> Member:
    """Turn a planned tree into a configuration."""
    if isinstance(planned, Leaf):
        step: Step = Answers(planned.name, after=planned.after, passes=planned.passes)
        if not planned.succeeds:
            step = Fails(after=planned.after, passes=planned.passes)
        return cast.provider(planned.name, step)
    members = tuple(stage(member, cast) for member in planned.members)
    if planned.kind == "race":
        return Race(members, name=planned.name)
    if planned.kind == "fallback":
        return Fallback(members, name=planned.name)
    return LoadBalance(members, name=planned.name)


def configure(planned: Planned, cast: Cast, **settings: Any) -> Config:
    """Make the configuration of a planned tree."""
    return Config(default=stage(planned, cast), **settings)


def by_attempt(seed: int, name: str, steps: Sequence[Step]) -> Callable[[Work], Step]:
    """Make a script whose every attempt draws its step, keyed so that arrival does not matter."""

    def script(work: Work) -> Step:
        key = f"{seed}/{name}/{work.call}/{'/'.join(work.path)}/{work.number}"
        return random.Random(key).choice(steps)

    return script

"""Trees with balancers that choose among answers, drawn by chance."""

import random
from typing import Any, TypeAlias

import attrs
import trio

from tests.guarantees.scenes import Cast
from trio_llm import Completion, Consensus, Fallback, Message, Race, Request, Runtime, ServerError
from trio_llm.chat import TextDelta, Usage
from trio_llm.config.schema import Member
from trio_llm.errors import StreamInterruptedError
from trio_llm.policy.vitals import Vitals
from trio_llm.providers.backend import Work


@attrs.frozen
class Plays:
    """Answers in two halves, the whole taking the same time plain and streamed.

    Args:
        text: What it answers.
        first: Seconds to the first half.
        rest: Seconds from there to the end.
        passes: Extra scheduler passes around the timers.
        fails: Whether it fails in place of the first half.
        breaks: Whether it fails in place of the second.
    """

    text: str
    first: float
    rest: float = 0.0
    passes: int = 0
    fails: bool = False
    breaks: bool = False

    async def play(self, work: Work) -> Completion:
        """Answer, fail or break."""
        await self._wait(self.first)
        if self.fails:
            raise ServerError("scripted to fail")
        if work.sink is not None:
            await work.sink.put([TextDelta(self.text[:1])])
        await self._wait(self.rest)
        if self.breaks:
            raise StreamInterruptedError("scripted to break")
        if work.sink is not None and self.text[1:]:
            await work.sink.put([TextDelta(self.text[1:])])
        return Completion(Message("assistant", self.text), usage=Usage(1, 1), model=work.model)

    async def _wait(self, seconds: float) -> None:
        for _ in range(self.passes):
            await trio.lowlevel.checkpoint()
        if seconds:
            await trio.sleep(seconds)
        for _ in range(self.passes):
            await trio.lowlevel.checkpoint()


@attrs.frozen
class Leaf:
    """A provider of a planned tree, with the races that it has won and lost before."""

    name: str
    plays: Plays
    won: int = 0
    lost: int = 0


@attrs.frozen
class Branching:
    """A balancer: ``race``, ``weighted``, ``quality``, ``consensus`` or ``fallback``."""

    name: str
    kind: str
    members: "tuple[Planned, ...]"
    grace: float = 0.0
    timeout: float | None = None


Planned: TypeAlias = Leaf | Branching


def score_in(_request: Request, completion: Completion) -> float:
    """Score an answer by the letter that it begins with: the later in the alphabet the better."""
    return float(ord(completion.message.text[0]))


def draw(rng: random.Random, depth: int, name: str = "n", *, last: bool = True) -> Planned:
    """Draw a tree in which many things happen in the same instant.

    Times are halves of a second, so that sums of them are exact. A consensus stands in a
    fallback at the end only: one that is lost says so some steps of the clock after the
    instant of its loss, and what is asked then is not in step with the rest.
    """
    if depth == 0 or (name != "n" and rng.random() < 0.4):
        plays = Plays(
            rng.choice(("ax", "by", "cz")),
            rng.choice((0.5, 1.0, 1.0, 1.5)),
            rng.choice((0.0, 0.0, 0.5, 1.0)),
            rng.randrange(5),
            fails=rng.random() < 0.2,
            breaks=rng.random() < 0.15,
        )
        return Leaf(name, plays, rng.randrange(3), rng.randrange(3))
    kinds = ["race", "weighted", "quality", "fallback"]
    if last:
        kinds += ["consensus", "consensus"]
    kind = rng.choice(kinds)
    count = rng.randint(2, 4 if kind == "consensus" else 3)
    members = tuple(
        draw(
            rng,
            depth - 1,
            f"{name}{index}",
            last=last and (kind != "fallback" or index == count - 1),
        )
        for index in range(count)
    )
    return Branching(
        name,
        kind,
        members,
        grace=rng.choice((0.0, 0.5, 1.0)),
        timeout=None if kind == "fallback" else rng.choice(_timeouts(kind, members)),
    )


def _timeouts(kind: str, members: "tuple[Planned, ...]") -> tuple[float | None, ...]:
    """Give the timeouts that a balancer may have.

    A plain race whose time is up, and a fallback that divides its time, leave an attempt
    that ends in that very instant as it happens to be: ended, or cancelled.
    """
    if kind == "race" or any(_divides(member) for member in members):
        return None, None, 1.75, 2.25
    return None, None, 1.5, 2.0


def _divides(planned: Planned) -> bool:
    return isinstance(planned, Branching) and (
        planned.kind == "fallback" or any(_divides(member) for member in planned.members)
    )


def fill(vitals: Vitals, won: int, lost: int) -> None:
    """Have a member remember races that it has won, and then races that it has lost."""
    for number in range(won + lost):
        vitals.raced(number < won, 1.0, 0.0)


def stage(planned: Planned, cast: Cast) -> Member:
    """Turn a planned tree into a configuration."""
    if isinstance(planned, Leaf):
        return cast.provider(planned.name, planned.plays)
    members = tuple(stage(member, cast) for member in planned.members)
    settings: dict[str, Any] = {"name": planned.name}
    if planned.kind == "fallback":
        return Fallback(members, **settings)
    if planned.kind == "consensus":
        return Consensus(members, timeout=planned.timeout, **settings)
    if planned.kind == "quality":
        settings["scorer"] = score_in
    if planned.kind != "race":
        settings |= {"strategy": planned.kind, "grace_period": planned.grace}
    return Race(members, timeout=planned.timeout, **settings)


def leaves(planned: Planned) -> list[Leaf]:
    """Give every provider of a planned tree."""
    if isinstance(planned, Leaf):
        return [planned]
    return [leaf for member in planned.members for leaf in leaves(member)]


def vitals_of(llm: Runtime, name: str) -> Vitals:
    """Give what is known of a provider or balancer."""
    board = llm._switchboard  # pyright: ignore[reportPrivateUsage]
    return board.nodes[name].vitals

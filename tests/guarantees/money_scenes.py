"""Worlds in which money is spent: trees of providers that cost something, and their callers."""

import random
from collections.abc import Callable
from decimal import Decimal

import attrs
import trio

from tests.guarantees.scenes import Cast
from trio_llm import (
    CooldownSettings,
    Endpoint,
    Fallback,
    Hedge,
    LLMError,
    LoadBalance,
    OverloadedError,
    PriceSettings,
    Race,
    Retry,
    Timeouts,
    Usage,
    events,
)
from trio_llm.chat import NOTHING, Cost
from trio_llm.config.schema import Member
from trio_llm.providers.backend import Work
from trio_llm.testing import (
    Answers,
    Clings,
    Crashes,
    Cuts,
    Fails,
    RateLimits,
    SendsGarbage,
    Stalls,
    Step,
)

PRICES = (
    PriceSettings(input=0.15, output=0.6),
    PriceSettings(input=3.0, output=15.0, cached_input=0.3),
    PriceSettings(input=0.0, output=0.0),
    None,  # not known
)

FAULTS: tuple[Step, ...] = (
    Fails(after=0.25),
    Fails(OverloadedError, after=0.5),
    RateLimits(1.0, after=0.25),
    SendsGarbage(after=0.5),
    Cuts(pieces=2, text="half of it", gap=0.25),
    Stalls(),
    Stalls(pieces=1),
    Crashes(after=0.5),
    Crashes(after=0.25, actor=True),
    Clings(0.5),
)


def paid_answer(rng: random.Random) -> Answers:
    """Draw an answer that is counted, not counted, or charged by the provider itself."""
    usage = Usage(rng.randrange(1, 5000), rng.randrange(1, 2000), cached_tokens=rng.randrange(2))
    how = rng.random()
    return Answers(
        "an answer " * rng.randrange(1, 20),
        after=rng.choice((0.0, 0.25, 0.5, 2.0)),
        pieces=rng.choice((1, 3)),
        gap=0.25,
        usage=None if how < 0.15 else usage,
        charged=Decimal("0.0000123456789012345") if how > 0.85 else None,
    )


def script(seed: int, name: str, faults: float) -> Callable[[Work], Step]:
    """Give what a provider does at each attempt, drawn by the attempt alone."""

    def step(work: Work) -> Step:
        key = f"{seed}/{name}/{work.call}/{'/'.join(work.path)}/{work.number}"
        rng = random.Random(key)
        return rng.choice(FAULTS) if rng.random() < faults else paid_answer(rng)

    return step


def grow(rng: random.Random, cast: Cast, seed: int, depth: int, name: str = "n") -> Member:
    """Draw a tree whose providers cost something, nothing, or nobody knows what."""
    if depth == 0 or (name != "n" and rng.random() < 0.3):
        return cast.provider(
            name,
            script(seed, name, rng.choice((0.0, 0.2, 0.5))),
            price=rng.choice(PRICES),
            max_concurrency=rng.randint(1, 4),
            mailbox=rng.randint(1, 3),
            timeouts=Timeouts(first_token=3.0, idle=1.5, total=6.0),
            retry=Retry(attempts=rng.randrange(3)),
            cooldown=CooldownSettings(initial=0.5, maximum=2.0, after_failures=rng.randint(1, 3)),
        )
    members = tuple(
        grow(rng, cast, seed, depth - 1, f"{name}{index}") for index in range(rng.randint(2, 3))
    )
    kind, room = rng.randrange(4), rng.randint(1, 3)
    if kind == 0:
        return Race(members, timeout=rng.choice((None, 2.5)), name=name, mailbox=room)
    if kind == 1:
        return Fallback(members, name=name, mailbox=room)
    if kind == 2:
        return Hedge(members, delay=0.3, max_extra_calls=1.0, name=name, mailbox=room)
    return LoadBalance(members, strategy="random", name=name, mailbox=room)


@attrs.define(eq=False)
class Receipts:
    """Adds up what the records say that attempts have cost."""

    total: Cost = NOTHING
    attempts: int = 0
    by_provider: dict[str, Cost] = attrs.field(factory=dict[str, Cost])

    def __call__(self, event: events.Event) -> None:
        """Look at one record."""
        if isinstance(
            event, events.AttemptSucceeded | events.AttemptFailed | events.AttemptCancelled
        ):
            self.attempts += 1
            self.total = Cost.total([self.total, event.cost])
            before = self.by_provider.get(event.actor, NOTHING)
            self.by_provider[event.actor] = Cost.total([before, event.cost])


async def ask(rng: random.Random, target: Endpoint, replies: list[Cost]) -> None:
    """Ask once, in a random way; keep what a reply, or an error, says that it has cost."""
    await trio.sleep(rng.choice((0.0, 0.0, 0.25, 0.5, 1.0, 2.0, 4.0)))
    patience = rng.choice((0.0, 0.25, 0.5, 2.5, float("inf"), float("inf")))
    streaming, read = rng.random() < 0.5, rng.choice((0, 1, 1000))
    user = rng.choice(("ada", "bob", None))
    with trio.move_on_after(patience):
        try:
            if not streaming:
                replies.append((await target.generate("what is it?", user=user)).cost)
                return
            async with target.stream("what is it?", user=user) as stream:
                async for _ in stream:
                    read -= 1
                    if read < 0:
                        return
                replies.append(stream.reply.cost)
        except LLMError as error:
            replies.append(Cost.total([attempt.cost for attempt in error.attempts]))

"""A chaos of every operation: random trees that offer all of them, and callers that ask at random.

Members crash, restart, go down, stall, refuse, rate limit and answer what was not asked;
callers are cancelled, leave early, and are shut down.
"""

import random
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from typing import Any

import attrs
import trio

from tests.guarantees.scenes import Cast, steps_later
from trio_llm import (
    AuthenticationError,
    CooldownSettings,
    EmbedRequest,
    Endpoint,
    Fallback,
    LLMError,
    LoadBalance,
    ModerateRequest,
    OverloadedError,
    Provider,
    Race,
    Request,
    Retry,
    Timeouts,
    Tool,
)
from trio_llm.chat import CountRequest, ListModels, Operation, TokenCount
from trio_llm.config.schema import Member
from trio_llm.providers.backend import Work
from trio_llm.testing import (
    Answers,
    CallsTool,
    Clings,
    Crashes,
    Embeds,
    Fails,
    Judges,
    Lists,
    RateLimits,
    ScriptedProvider,
    SendsGarbage,
    Stalls,
    Step,
)

OFFERED: tuple[type[Operation], ...] = (EmbedRequest, ModerateRequest, CountRequest, ListModels)

CLOSE_DEADLINE = 1.0
"""Seconds that a cancelled job has to leave, as in a configuration that says nothing."""

FAULTS: tuple[Step, ...] = (
    Fails(after=0.25),
    Fails(OverloadedError, after=0.5),
    Fails(AuthenticationError, after=0.5, passes=3),
    RateLimits(1.0, after=0.25),
    SendsGarbage(after=0.5),
    Stalls(),
    Crashes(after=0.5),
    Crashes(after=0.25, actor=True),
    Clings(0.5),
    Embeds(missing=1),
    Judges(missing=1, after=0.5),
    Answers("not what was asked", after=0.25),
)


@attrs.frozen
class Counts:
    """Counts one token for each letter of the last message."""

    after: float = 0.0

    async def play(self, work: Work) -> TokenCount:
        """Wait, then count."""
        await trio.sleep(self.after)
        request = work.request
        if not isinstance(request, CountRequest):
            raise TypeError("nothing to count")
        return TokenCount(tokens=len(request.request.messages[-1].text), exact=True)


def good_step(rng: random.Random, request: Request | Operation, dimensions: int) -> Step:
    """Give a step that answers a request as it should be."""
    after = rng.choice((0.0, 0.25, 0.5, 1.0))
    if isinstance(request, EmbedRequest):
        return Embeds(dimensions, after)
    if isinstance(request, ModerateRequest):
        return Judges(after=after)
    if isinstance(request, CountRequest):
        return Counts(after)
    if isinstance(request, ListModels):
        return Lists(after=after)
    if isinstance(request, Request) and request.tools and rng.random() < 0.6:
        return CallsTool("work", ('{"seconds"', f": {rng.choice((0, 0.5, 1))}}}"), after)
    text = rng.choice(('{"value": 1}', '{"value": 2}', '{"value": "one"}', "no value"))
    return Answers(text, after=after, pieces=rng.choice((1, 3)), gap=0.25)


def _script(
    seed: int, name: str, dimensions: int, share_of_faults: float
) -> Callable[[Work], Step]:
    def script(work: Work) -> Step:
        key = f"{seed}/{name}/{work.call}/{'/'.join(work.path)}/{work.number}"
        rng = random.Random(key)
        if rng.random() < share_of_faults:
            return rng.choice(FAULTS)
        return good_step(rng, work.request, dimensions)

    return script


def grow(rng: random.Random, cast: Cast, seed: int, depth: int, name: str = "n") -> Member:
    """Draw a tree of tiny actors that offer everything, of two families of embeddings."""
    if depth == 0 or (name != "n" and rng.random() < 0.3):
        family = rng.choice(("small", "small", "large"))
        dimensions = {"small": rng.choice((4, 4, 4, 5)), "large": 8}[family]
        script = _script(seed, name, dimensions, rng.choice((0.0, 0.1, 0.4)))
        cast.scripts[name] = ScriptedProvider(script, OFFERED)
        return Provider(
            "custom",
            name,
            cls=cast.scripts[name],
            embedding_model=family,
            max_concurrency=rng.randint(1, 4),
            mailbox=rng.randint(1, 3),
            timeouts=Timeouts(first_token=3.0, idle=1.5, total=6.0),
            retry=Retry(attempts=rng.randrange(2)),
            cooldown=CooldownSettings(initial=0.5, maximum=2.0, after_failures=rng.randint(1, 3)),
        )
    members = tuple(
        grow(rng, cast, seed, depth - 1, f"{name}{index}") for index in range(rng.randint(2, 3))
    )
    kind, room = rng.randrange(3), rng.randint(1, 3)
    if kind == 0:
        return Race(members, timeout=rng.choice((None, 2.5)), name=name, mailbox=room)
    if kind == 1:
        primary = rng.choice((0, len(members) - 1))
        return Fallback(members, primary=primary, name=name, mailbox=room)
    strategy = rng.choice(("round_robin", "random"))
    return LoadBalance(members, strategy=strategy, name=name, mailbox=room)


@attrs.define(eq=False)
class Callers:
    """Asks at random times and in random ways, and counts how each question ended.

    Attributes:
        outcomes: How many ended in which way.
        tools_running: How many tools run now.
    """

    rng: random.Random
    outcomes: Counter[str] = attrs.field(factory=Counter[str])
    tools_running: int = 0

    async def one(self, target: Endpoint) -> None:
        """Ask once; every question ends in a value, an error or its own cancellation."""
        rng = self.rng
        await trio.sleep(rng.choice((0.0, 0.0, 0.25, 0.5, 1.0, 2.0)))
        patience = rng.choice((0.0, 0.25, 0.5, 1.0, 2.5, float("inf"), float("inf"), float("inf")))
        ask = rng.choice(
            (
                self._embed,
                self._embed,
                self._moderate,
                self._count,
                self._models,
                self._compare,
                self._batch,
                self._batch,
                self._generate_as,
                self._stream_as,
                self._run_tools,
            )
        )
        await self._asked(ask, target, patience)

    async def _asked(
        self, ask: Callable[[Endpoint], Awaitable[None]], target: Endpoint, patience: float
    ) -> None:
        with trio.move_on_after(patience) as scope:
            try:
                await ask(target)
            except LLMError:
                self.outcomes["error"] += 1
            else:
                self.outcomes[ask.__name__] += 1
        if scope.cancelled_caught:
            assert trio.current_time() <= steps_later(scope.deadline + CLOSE_DEADLINE)
            self.outcomes["cancelled"] += 1

    async def _embed(self, target: Endpoint) -> None:
        texts = ["x" * (1 + index % 5) for index in range(self.rng.choice((1, 40, 300, 900)))]
        found = await target.embed(texts)
        assert [vector[0] for vector in found] == [len(text) for text in texts]
        assert len({len(vector) for vector in found}) == 1
        models = {a.model for a in found.attempts if a.outcome.value == "succeeded"}
        assert len(models) == 1

    async def _moderate(self, target: Endpoint) -> None:
        texts = ["bad" if index % 7 == 3 else "fine" for index in range(self.rng.choice((1, 90)))]
        found = await target.moderate(texts)
        assert [verdict.flagged for verdict in found.verdicts] == [text == "bad" for text in texts]

    async def _count(self, target: Endpoint) -> None:
        assert (await target.count_tokens("four")).tokens == 4

    async def _models(self, target: Endpoint) -> None:
        assert len(await target.models()) == 0

    async def _compare(self, target: Endpoint) -> None:
        found = await target.compare("hi")
        assert found
        for outcome in found.values():
            assert isinstance(outcome, LLMError) or outcome.attempts

    async def _batch(self, target: Endpoint) -> None:
        rng = self.rng
        total, ordered = rng.choice((0, 3, 12)), rng.random() < 0.5
        enough = rng.choice((1, 3, 99, 99, 99))
        source: Any = self._prompts(total) if rng.random() < 0.5 else self._slow_prompts(total)
        found: list[int] = []
        async with target.batch(source, limit=rng.choice((1, 2, 8)), ordered=ordered) as results:
            async for index, _ in results:
                found.append(index)
                if len(found) >= enough:
                    return
        assert sorted(found) == list(range(total))
        assert not ordered or found == sorted(found)

    def _prompts(self, total: int) -> Iterator[str]:
        for number in range(total):
            yield f"prompt {number}"

    async def _slow_prompts(self, total: int) -> AsyncGenerator[str, None]:
        for number in range(total):
            await trio.sleep(0.25)
            yield f"prompt {number}"

    async def _generate_as(self, target: Endpoint) -> None:
        value = await target.generate_as(int, "a number")
        assert value in (1, 2)

    async def _stream_as(self, target: Endpoint) -> None:
        enough = self.rng.choice((0, 1, 99))
        async with target.stream_as(int, "a number") as stream:
            async for _ in stream:
                enough -= 1
                if enough < 0:
                    return
            assert isinstance(stream.value, int)

    async def _run_tools(self, target: Endpoint) -> None:
        async def work(seconds: float) -> str:
            self.tools_running += 1
            try:
                await trio.sleep(seconds)
                if seconds == 1:
                    raise LookupError("too long")
                return "done"
            finally:
                self.tools_running -= 1

        done = await target.run_tools("work", tools=[Tool.from_function(work)], max_rounds=3)
        assert done.reply.text or done.reply.message.content == ()
        assert self.tools_running >= 0

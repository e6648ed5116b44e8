"""A provider that asks its own runtime never waits for the call that it works for."""

from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trio

from tests.guarantees.flight_scenes import Callers, sharing
from trio_llm import Config, Fallback, Provider, Reply, Request, Runtime
from trio_llm.testing import World, explore, run, seeds

Answer = Callable[[Runtime, str], Awaitable[str]]


def _asking(answer: Answer) -> tuple[Callable[[Runtime], None], Provider]:
    """Give a provider that may ask its own runtime, and the way to tell it which that is."""
    runtimes: list[Runtime] = []

    class _Asking:
        async def generate(self, request: Request) -> str:
            return await answer(runtimes[0], request.messages[0].text)

    return runtimes.append, Provider("custom", "p", cls=_Asking(), max_concurrency=8)


def _config(provider: Provider, *, nested: bool) -> Config:
    return sharing(Fallback((provider,), name="f") if nested else provider)


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("streams", [False, True])
def test_a_call_that_asks_the_same_is_made_by_itself(nested: bool, streams: bool) -> None:
    """Whether it is a stream or not, and whoever stands above the provider."""

    async def scenario(world: World) -> None:
        asked, callers = 0, Callers()

        async def answer(llm: Runtime, prompt: str) -> str:
            nonlocal asked
            asked += 1
            await trio.sleep(1.0)
            if asked == 2:
                return "inner"
            reply = await (callers.read(1, llm) if streams else llm.generate(prompt))
            return f"outer of {reply.text}"

        tell, provider = _asking(answer)
        async with world.open(_config(provider, nested=nested)) as llm:
            tell(llm)
            call: Callable[[], Awaitable[Reply]] = partial(llm.generate, "hello")
            if streams:
                call = partial(callers.read, 0, llm)
            with trio.fail_after(10.0):
                await callers.ask(0, call)
            assert [reply.text for reply in callers.replies] == ["outer of inner"]

    run(scenario)


def test_others_share_what_is_asked_within_a_call() -> None:
    """Only who would wait for itself is on its own: another caller joins either call."""

    async def scenario(world: World) -> None:
        asked: list[str] = []

        async def answer(llm: Runtime, prompt: str) -> str:
            asked.append(prompt)
            await trio.sleep(1.0)
            if prompt == "outer":
                return (await llm.generate("inner")).text
            return prompt

        tell, provider = _asking(answer)
        callers = Callers()
        async with world.open(sharing(provider)) as llm:
            tell(llm)
            async with trio.open_nursery() as nursery:
                callers.begin(nursery, 0, partial(llm.generate, "outer"))
                callers.begin(nursery, 1, partial(llm.generate, "outer"), after=0.5)
                callers.begin(nursery, 2, partial(llm.generate, "inner"), after=1.5)
            assert sorted(asked) == ["inner", "outer"]
            assert llm.cache.statistics().shared == 2
        assert [reply.text for reply in callers.replies] == ["inner"] * 3

    run(scenario)


def test_two_calls_that_ask_each_other_both_end() -> None:
    """They have begun apart, so that neither is within the other: still none waits for ever."""

    async def scenario(world: World) -> None:
        asked: list[str] = []

        async def answer(llm: Runtime, prompt: str) -> str:
            asked.append(prompt)
            await trio.sleep(1.0)
            if len(asked) > 2:
                return "leaf"
            other = {"one": "two", "two": "one"}[prompt]
            return f"{prompt} of {(await llm.generate(other)).text}"

        tell, provider = _asking(answer)
        callers = Callers()
        async with world.open(sharing(provider)) as llm:
            tell(llm)
            with trio.fail_after(10.0):
                async with trio.open_nursery() as nursery:
                    for number, prompt in enumerate(("one", "two")):
                        callers.begin(nursery, number, partial(llm.generate, prompt))
            assert len(asked) == 3
            assert llm.cache.statistics().shared == 1
        assert sorted(reply.text for reply in callers.replies) in (
            ["one of leaf", "two of one of leaf"],
            ["one of two of leaf", "two of leaf"],
        )

    explore(scenario, seeds=seeds(200, share=20))


def test_a_task_that_outlives_its_call_shares_as_anybody() -> None:
    """What a call has begun is not within it any more when it has ended."""

    async def scenario(world: World) -> None:
        callers, background = Callers(), list[trio.Nursery]()
        asked = 0

        async def answer(llm: Runtime, prompt: str) -> str:
            nonlocal asked
            asked += 1
            if asked == 1:
                callers.begin(background[0], 0, partial(llm.generate, prompt), after=5.0)
            await trio.sleep(1.0)
            return "fine"

        tell, provider = _asking(answer)
        async with world.open(sharing(provider)) as llm, trio.open_nursery() as nursery:
            tell(llm)
            background.append(nursery)
            await llm.generate("hello")
            callers.begin(nursery, 1, partial(llm.generate, "hello"), after=3.5)
        assert [reply.cached for reply in callers.replies] == ["shared", None]
        assert asked == 2

    run(scenario)

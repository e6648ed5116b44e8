"""A crash of a provider's actor refuses those in its line, so that a balancer can go on."""

from contextlib import suppress

import trio

from tests.guarantees.scenes import Cast
from trio_llm import Config, Fallback, ProviderCrashedError, ProviderError
from trio_llm.testing import Answers, Crashes, World, explore, seeds


def test_who_waits_in_line_at_a_crash_is_refused_without_an_attempt() -> None:
    """The error says that no attempt was made, and that the actor is restarting."""

    async def scenario(world: World) -> None:
        provider = Cast().provider("a", Crashes(after=1.0, actor=True), max_concurrency=1)
        outcomes: list[tuple[str, str | None, int]] = []

        async def caller() -> None:
            try:
                await llm.generate("hello")
            except ProviderError as error:
                outcomes.append((type(error).__name__, error.code, len(error.attempts)))

        async with world.open(Config(default=provider)) as llm, trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(caller)
        assert sorted(outcomes, key=lambda outcome: outcome[0]) == [
            ("ProviderCrashedError", None, 1),
            ("ProviderUnavailableError", "restarting", 0),
            ("ProviderUnavailableError", "restarting", 0),
        ]

    explore(scenario, seeds=seeds(1000, share=50))


def test_a_fallback_sends_the_line_of_a_crashed_member_to_the_next() -> None:
    """A call that was in line at the crash is answered by another member that was busy."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = (
            cast.provider("a", Crashes(after=1.0, actor=True), max_concurrency=1),
            cast.provider("b", Answers(after=2.0), max_concurrency=1),
        )

        async def hold(name: str) -> None:
            with suppress(ProviderCrashedError):
                await llm.provider(name).generate("hold the place")

        async with world.open(Config(default=Fallback(members))) as llm:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(hold, "a")
                nursery.start_soon(hold, "b")
                await trio.sleep(0.5)
                reply = await llm.generate("hello", max_attempts=1)
            assert (reply.provider, trio.current_time()) == ("b", 4.0)

    explore(scenario, seeds=seeds(1000, share=50))

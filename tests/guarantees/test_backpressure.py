"""A slow consumer slows its provider, and does not use up the provider's time.

Between the two there is a feed of bounded room; the idle timer does not run while the
consumer is the slow side.
"""

import attrs
import pytest
import trio

from tests.guarantees.scenes import Cast
from trio_llm import (
    Completion,
    Config,
    Fallback,
    LoadBalance,
    Message,
    Race,
    Runtime,
    StreamInterruptedError,
    TextDelta,
    Timeouts,
)
from trio_llm.providers.backend import Work
from trio_llm.providers.feed import ROOM, Feed
from trio_llm.testing import Answers, World, explore, run, seeds


@attrs.define(eq=False)
class Pours:
    """Sends many pieces as fast as they are taken, and counts them."""

    pieces: int
    sent: int = attrs.field(default=0, init=False)

    async def play(self, work: Work) -> Completion:
        """Pour."""
        assert work.sink is not None
        for _ in range(self.pieces):
            await work.sink.put([TextDelta(".")])
            self.sent += 1
        return Completion(Message("assistant", "." * self.pieces))


@pytest.mark.parametrize("kind", [None, Race, Fallback, LoadBalance])
def test_a_provider_is_never_further_ahead_than_the_feed_has_room(
    kind: type[Race | Fallback | LoadBalance] | None,
) -> None:
    """A provider that could send everything at once waits, through any balancer."""

    async def scenario(world: World) -> None:
        step = Pours(8 * ROOM)
        provider = Cast().provider("a", step)
        default = provider if kind is None else kind((provider,))
        taken = 0
        async with (
            world.open(Config(default=default)) as llm,
            llm.stream("hello") as stream,
        ):
            async for _piece in stream.text():
                taken += 1
                if world.rng.random() < 0.05:
                    await trio.sleep(0.25)
                assert step.sent - taken <= 2 * ROOM
        assert taken == step.sent == 8 * ROOM

    explore(scenario, seeds=seeds(1000, share=100, least=5))


def test_the_idle_timer_rests_while_the_consumer_is_slow() -> None:
    """A consumer that takes far longer than the idle limit does not make the provider fail."""

    async def scenario(world: World) -> None:
        provider = Cast().provider("a", Pours(4 * ROOM), timeouts=Timeouts(idle=1.0))
        async with (
            world.open(Config(default=provider)) as llm,
            llm.stream("hello") as stream,
        ):
            count = 0
            async for _piece in stream.text():
                count += 1
                if count % ROOM == 1:
                    await trio.sleep(30.0)
        assert count == 4 * ROOM

    explore(scenario, seeds=seeds(1000, share=50))


async def _read_slowly(llm: Runtime, *, before: float, between: float) -> None:
    async with llm.stream("hello") as stream:
        await trio.sleep(before)
        async for _event in stream:
            await trio.sleep(between)


def test_the_total_limit_runs_on_while_the_consumer_is_slow() -> None:
    """The total limit holds even for a consumer that stops reading."""

    async def scenario(world: World) -> None:
        timeouts = Timeouts(idle=1.0, total=10.0)
        provider = Cast().provider("a", Pours(4 * ROOM), timeouts=timeouts)
        async with world.open(Config(default=provider)) as llm:
            with pytest.raises(StreamInterruptedError) as caught:
                await _read_slowly(llm, before=0.0, between=60.0)
        assert caught.value.phase == "total"

    run(scenario)


def test_the_idle_timer_starts_again_when_the_consumer_has_caught_up() -> None:
    """After a pause of the consumer a silent provider is given its idle limit, no more."""

    async def scenario(world: World) -> None:
        class Dries(Pours):
            async def play(self, work: Work) -> Completion:
                await super().play(work)
                await trio.sleep_forever()
                raise AssertionError("unreachable")

        provider = Cast().provider("a", Dries(ROOM), timeouts=Timeouts(idle=2.0))
        async with world.open(Config(default=provider)) as llm:
            with pytest.raises(StreamInterruptedError) as caught:
                await _read_slowly(llm, before=50.0, between=0.0)
        assert caught.value.phase == "idle"
        assert trio.current_time() == 52.0

    run(scenario)


def test_events_of_one_read_cross_in_one_hand_over() -> None:
    """Pieces that were sent without a pause are taken together, in order."""

    async def scenario(_world: World) -> None:
        feed = Feed()
        assert feed.offer([TextDelta("a"), TextDelta("b")])
        assert feed.offer([TextDelta("c")])
        assert await feed.take() == [TextDelta("a"), TextDelta("b"), TextDelta("c")]
        feed.close()
        assert await feed.take() == []

    run(scenario)


def test_a_quick_consumer_gets_each_piece_when_it_comes() -> None:
    """Pieces are not held back: each is there in the instant in which it was sent."""

    async def scenario(world: World) -> None:
        provider = Cast().provider("a", Answers("abcd", after=1.0, pieces=4, gap=0.5))
        async with (
            world.open(Config(default=provider)) as llm,
            llm.stream("hello") as stream,
        ):
            times = [trio.current_time() async for _piece in stream.text()]
        assert times == [1.0, 1.5, 2.0, 2.5]

    explore(scenario, seeds=seeds(1000, share=50))

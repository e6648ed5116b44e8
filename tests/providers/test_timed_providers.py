"""The limits of time of providers that run in this process."""

from collections.abc import AsyncGenerator

import pytest
import trio

from trio_llm import Config, Provider, StreamInterruptedError, Timeouts
from trio_llm.testing import World, run


class Murmurs:
    """Streams a word, then empty pieces every half second, and at last another word."""

    def __init__(self, empty: int) -> None:
        self.empty = empty

    async def generate(self, _request: object) -> str:
        """Never used: it streams."""
        raise AssertionError("never asked")

    async def stream(self, _request: object) -> AsyncGenerator[str, None]:
        """Give the pieces."""
        yield "one"
        for _ in range(self.empty):
            await trio.sleep(0.5)
            yield ""
        await trio.sleep(0.5)
        yield " two"


async def _listen(world: World, empty: int, pause: float = 0.0) -> tuple[str, float]:
    limits = Timeouts(idle=2.25, total=100.0)
    provider = Provider("custom", "a", cls=Murmurs(empty), timeouts=limits)
    text = ""
    async with world.open(Config(default=provider)) as llm, llm.stream("hello") as stream:
        async for piece in stream.text():
            text += piece
            await trio.sleep(pause)
    return text, trio.current_time()


def test_empty_pieces_do_not_hold_the_idle_limit_off() -> None:
    """Only a useful event starts the idle clock anew, so endless empty ones end in time."""

    async def scenario(world: World) -> None:
        with pytest.raises(StreamInterruptedError) as caught:
            await _listen(world, 1000)
        assert caught.value.phase == "idle"
        assert caught.value.partial_text == "one"
        assert trio.current_time() == 2.25

    run(scenario)


def test_empty_pieces_within_the_idle_limit_do_no_harm() -> None:
    """A stream whose useful events come within the limit is read to its end."""
    assert run(lambda world: _listen(world, 3)).value == ("one two", 2.0)


def test_a_slow_consumer_does_not_use_up_the_idle_limit() -> None:
    """Time that the consumer takes over the events does not make a stream idle."""
    text, _ = run(lambda world: _listen(world, 3, pause=10.0)).value
    assert text == "one two"

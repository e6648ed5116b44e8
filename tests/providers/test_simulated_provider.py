"""The simulated provider ends its answers where a model would."""

import pytest

from trio_llm import Config, Provider, Reply, Simulation
from trio_llm.testing import World, run

TEXT = "one two three four five six"


def _ask(*, stream: bool, cap: int | None = None, **options: object) -> Reply:
    provider = Provider(
        "simulated", "s", max_tokens_per_request=cap, simulation=Simulation(text=TEXT)
    )

    async def scenario(world: World) -> Reply:
        async with world.open(Config(default=provider)) as llm:
            if not stream:
                return await llm.generate("hi", **options)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
            async with llm.stream("hi", **options) as events:  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
                text = "".join([piece async for piece in events.text()])
            assert text == events.reply.text
            return events.reply

    return run(scenario).value


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_ends_at_the_limit_of_tokens(stream: bool) -> None:
    """The call's limit and the provider's both cut it, and the finish reason says so."""
    for reply in (_ask(stream=stream, max_tokens=2), _ask(stream=stream, cap=2, max_tokens=50)):
        assert (reply.text, reply.finish_reason) == ("one two ", "length")
        assert reply.usage.output_tokens == 2
    whole = _ask(stream=stream, max_tokens=6)
    assert (whole.text, whole.finish_reason) == (TEXT, "stop")


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_ends_at_a_stop_string(stream: bool) -> None:
    """The string itself is not part of it, and the first one of several counts."""
    assert _ask(stream=stream, stop=["five", " three"]).text == "one two"
    assert _ask(stream=stream, stop=["seven"]).text == TEXT
    assert _ask(stream=stream, stop="one").text == ""

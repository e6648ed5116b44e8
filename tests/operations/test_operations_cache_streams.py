"""Streams and the cache: kept when they have finished, and replayed as streams.

A plain call finds what a stream has left, and a stream what a plain call has.
"""

from tests.operations.cache_stage import asked, caching, read
from tests.operations.operations_stage import Stage
from trio_llm import (
    PriceSettings,
    TextDelta,
    ToolCallDelta,
)
from trio_llm.chat import NOTHING
from trio_llm.testing import Answers, CallsTool, World, run

PRICED = PriceSettings(1.0, 2.0)


def test_a_stream_is_kept_when_it_has_finished_and_replayed_in_pieces() -> None:
    """A plain call finds what a stream has left, and the other way round."""

    async def scenario(world: World) -> None:
        stage = Stage()
        text = "a text of more than a few letters, so that it comes in pieces"
        member = stage.provider("a", Answers(text, after=1.0, pieces=20, gap=0.5))
        async with world.open(caching(member)) as llm:
            written, first = await read(llm)
            assert (len(written), first.cached) == (16, None)
            assert (await llm.generate("hello")).cached == "hit"
            replayed, reply = await read(llm)
            assert 1 < len(replayed) <= 5
            assert "".join(e.text for e in replayed if isinstance(e, TextDelta)) == text
            assert (reply.text, reply.cached, reply.cost) == (text, "hit", NOTHING)
            assert (reply.latency, reply.time_to_first_token) == (0.0, 0.0)
            await llm.generate("plain")
            assert (await read(llm, "plain"))[1].cached == "hit"
            async with llm.stream("plain") as stream:
                assert "".join([piece async for piece in stream.text()]) == text
                assert stream.provider == "a"
            assert asked(stage) == 2

    run(scenario)


def test_a_stream_that_is_left_early_is_not_kept() -> None:
    """Half an answer is none; a replay that is left early changes nothing."""

    async def scenario(world: World) -> None:
        stage = Stage()
        async with world.open(caching(stage.provider("a", Answers("half", pieces=4)))) as llm:
            async with llm.stream("hello") as stream:
                await anext(stream)
            assert llm.cache.statistics().stores == 0
            await read(llm)
            async with llm.stream("hello") as stream:
                await anext(stream)
            assert (await read(llm))[1].cached == "hit"
            stage.assert_idle(llm)
        outcomes = [dict(e.fields)["outcome"] for e in world.log if e.kind == "RequestFinished"]
        assert outcomes == ["cancelled", "succeeded", "cancelled", "succeeded"]

    run(scenario)


def test_calls_of_tools_are_kept_and_replayed() -> None:
    """A turn that calls tools is a whole answer, too."""

    async def scenario(world: World) -> None:
        stage = Stage()
        member = stage.provider("a", CallsTool("look", ('{"x": ', "1}")))
        async with world.open(caching(member)) as llm:
            await read(llm)
            events, reply = await read(llm)
            assert reply.cached == "hit"
            assert events == [
                ToolCallDelta(0, "call_0", "look"),
                ToolCallDelta(0, arguments='{"x": 1}'),
            ]
            assert (await llm.generate("hello")).tool_calls == reply.tool_calls
            assert asked(stage) == 1

    run(scenario)

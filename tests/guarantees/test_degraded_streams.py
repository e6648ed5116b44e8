"""What stands in for a stream, a typed answer or a tool loop, and for which request.

A stream that fails before its commit is given as one piece; one that broke later is not
degraded. A call of a tool is never given twice, and no typed answer is read from the
default text.
"""

from typing import Any

import attrs
import pytest

from tests.guarantees.degraded_scenes import DEFAULT, SORRY, STALE, STURDY, text_of
from tests.guarantees.scenes import Cast, assert_idle
from trio_llm import (
    Completion,
    Config,
    Finished,
    Message,
    Provider,
    Request,
    ServerError,
    StreamInterruptedError,
    Text,
    TextDelta,
    Tool,
    ToolCall,
)
from trio_llm.testing import (
    Answers,
    CallsTool,
    Cuts,
    Fails,
    World,
    run,
)


def test_a_stream_that_fails_before_its_commit_is_one_piece_and_the_reply() -> None:
    """Its events are the text and the end; a stale answer may come from a plain call."""

    async def scenario(world: World) -> None:
        provider = Cast().provider("a", (Answers("once more"), Fails(after=2.0)), cooldown=STURDY)
        config = Config(default=provider, degradation=attrs.evolve(STALE, reply=SORRY))
        async with world.open(config) as llm:
            await llm.generate("known")
            for prompt, text, how in (
                ("known", "once more", "stale"),
                ("new", SORRY, "default"),
            ):
                async with llm.stream(prompt) as stream:
                    events = [event async for event in stream]
                    assert events == [TextDelta(text), Finished(stream.reply)]
                    assert (stream.reply.text, stream.reply.degraded) == (text, how)
                    assert stream.reply.latency == 2.0
                    assert stream.provider == stream.reply.provider
                    assert "prompt" not in repr(stream)
                async with llm.stream(prompt) as stream:
                    assert await text_of(stream) == text
                async with llm.stream(prompt):
                    pass  # left before it was read
            assert llm.statistics().degraded == 6
            assert_idle(Cast(), llm)

    run(scenario)


def test_an_answer_of_a_stream_is_remembered_once_it_has_finished() -> None:
    """One that was read to its end can be given again; one that was left cannot."""

    async def scenario(world: World) -> None:
        script = (Answers("whole", pieces=2), Answers("half", pieces=2, gap=1.0), Fails())
        config = Config(default=Cast().provider("a", script), degradation=STALE)
        async with world.open(config) as llm:
            async with llm.stream("read") as stream:
                await text_of(stream)
            async with llm.stream("left") as stream:
                assert await anext(stream) == TextDelta("ha")
            assert (await llm.generate("read")).text == "whole"
            with pytest.raises(ServerError):
                await llm.generate("left")

    run(scenario)


def test_a_stream_that_breaks_after_its_commit_is_not_degraded() -> None:
    """The caller has a part of the answer, and gets the error that says so."""

    async def scenario(world: World) -> None:
        config = Config(
            default=Cast().provider("a", Cuts(pieces=1, text="cut off")), degradation=DEFAULT
        )
        async with world.open(config) as llm:
            with pytest.raises(StreamInterruptedError) as caught:
                async with llm.stream("hello") as stream:
                    await text_of(stream)
            assert caught.value.partial_text
            assert llm.statistics().degraded == 0

    run(scenario)


def test_an_error_of_the_body_is_no_failure_of_the_call() -> None:
    """What is raised inside a stream's block leaves it, even if it looks like an outage."""

    async def scenario(world: World) -> None:
        config = Config(default=Cast().provider("a", Answers()), degradation=DEFAULT)
        async with world.open(config) as llm:
            with pytest.raises(ServerError, match="mine"):
                async with llm.stream("hello"):
                    raise ServerError("mine")
            assert llm.statistics().degraded == 0

    run(scenario)


def test_answers_that_call_tools_are_not_given_again() -> None:
    """To act on a call a second time could do harm; the words after it may be repeated."""
    told: list[str] = []

    def look_up(name: str) -> str:
        """Look something up."""
        told.append(name)
        return "found"

    async def scenario(world: World) -> None:
        told.clear()
        call = CallsTool("look_up", ('{"name": "x"}',))
        script = (call, Answers("done"), call, Fails(), Fails())
        config = Config(
            default=Cast().provider("a", script), degradation=attrs.evolve(STALE, reply=SORRY)
        )
        tools = [Tool.from_function(look_up)]
        async with world.open(config) as llm:
            assert (await llm.run_tools("hello", tools=tools)).text == "done"
            again = await llm.run_tools("hello", tools=tools)
            assert (again.text, again.reply.degraded) == ("done", "stale")
            assert told == ["x", "x"]
            last = await llm.run_tools("hello", tools=tools)
            assert (last.text, last.reply.degraded) == (SORRY, "default")
            assert told == ["x", "x"]

    run(scenario)


def test_an_answer_that_calls_a_tool_and_says_that_it_is_done_is_not_given_again() -> None:
    """It counts what is in the answer, whatever the provider gives as its reason to stop."""

    class Both:
        async def generate(self, _request: object) -> Completion:
            if called:
                raise ServerError("gone")
            called.append(True)
            message = Message("assistant", (Text("let me see"), ToolCall("c", "look_up", {})))
            return Completion(message, "stop")

    async def scenario(world: World) -> None:
        config = Config(default=Provider("custom", "a", cls=Both()), degradation=STALE)
        async with world.open(config) as llm:
            assert (await llm.generate("hello")).text == "let me see"
            with pytest.raises(ServerError):
                await llm.generate("hello")

    called: list[bool] = []
    run(scenario)


def test_a_typed_answer_is_never_read_from_the_defaulttext_of() -> None:
    """`generate_as` and `stream_as` raise the error, or give a stale answer of the type."""

    async def scenario(world: World) -> None:
        provider = Cast().provider("a", (Answers('{"value": 7}'), Fails()), cooldown=STURDY)
        config = Config(default=provider, degradation=attrs.evolve(STALE, reply="5"))
        async with world.open(config) as llm:
            assert await llm.generate_as(int, "seven?") == 7
            assert await llm.generate_as(int, "seven?") == 7
            async with llm.stream_as(int, "seven?") as stream:
                async for _ in stream:
                    pass
                assert (stream.value, stream.reply.degraded) == (7, "stale")
            with pytest.raises(ServerError):
                await llm.generate_as(int, "eight?")
            with pytest.raises(ServerError):
                async with llm.stream_as(int, "eight?"):
                    raise AssertionError("never entered")

    run(scenario)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ({}, True),
        ({"tags": {"a": "b"}}, True),
        ({"metadata": {"a": "b"}}, True),
        ({"prefer": "a"}, True),
        ({"max_attempts": 3}, True),
        ({"side_effects": True}, True),
        ({"model": "m"}, False),
        ({"temperature": 0.5}, False),
        ({"seed": 1}, False),
        ({"stop": "x"}, False),
        ({"max_tokens": 9}, False),
        ({"user": "somebody else"}, False),
        ({"reasoning": "high"}, False),
        ({"extra": {"openai_chat": {"x": 1}}}, False),
        ({"messages": [Message("system", "hello")]}, False),
        ({"messages": [Message("user", ["hel", "lo"])]}, False),
        ({"tools": [Tool("t")]}, False),
    ],
    ids=str,
)
def test_the_same_request_is_one_that_asks_the_same(other: dict[str, Any], same: bool) -> None:
    """All that changes the answer counts; who is asked and how it is counted does not."""

    async def scenario(world: World) -> None:
        provider = Cast().provider("a", (Answers("fine"), Fails()))
        config = Config(default=provider, degradation=STALE)
        async with world.open(config) as llm:
            request = Request(messages="hello")
            await llm.generate(request)
            again = attrs.evolve(request, **other)
            if same:
                assert (await llm.generate(again)).degraded == "stale"
            else:
                with pytest.raises(ServerError):
                    await llm.generate(again)

    run(scenario)

"""A class with one async method is a provider; what it raises harms its own request only."""

from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Any, Self

import pytest
import trio

from trio_llm import (
    Completion,
    Config,
    ContextLengthError,
    Fallback,
    Finished,
    MalformedResponseError,
    Message,
    Provider,
    ProviderCrashedError,
    Reasoning,
    ReasoningDelta,
    Reply,
    Request,
    TextDelta,
    ToolCall,
    ToolCallDelta,
)
from trio_llm.chat import Delta
from trio_llm.testing import World, run


class Gives:
    """Gives whatever it was made with."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[Request] = []

    async def generate(self, request: Request) -> Any:
        """Give it, or raise it."""
        self.asked.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Speaks(Gives):
    """Streams the deltas it was made with."""

    async def stream(self, _request: Request) -> AsyncGenerator[str | Delta, None]:
        """Give them one by one."""
        for item in self.answer:
            yield item


def _ask(provider: object, **settings: Any) -> Reply:
    async def scenario(world: World) -> Reply:
        config = Config(default=Provider("custom", "mine", cls=provider, **settings))
        async with world.open(config) as llm:
            return await llm.generate("hi")

    return run(scenario).value


def _listen(provider: object) -> tuple[list[object], Reply]:
    async def scenario(world: World) -> tuple[list[object], Reply]:
        async with world.open(Config(default=Provider("custom", "mine", cls=provider))) as llm:
            async with llm.stream("hi", reasoning="low") as answer:
                seen: list[object] = [event async for event in answer]
            return seen[:-1], answer.reply

    return run(scenario).value


CALL = ToolCall.parse("c1", "lookup", '{"x": 1}')


@pytest.mark.parametrize(
    ("answer", "text", "finish"),
    [
        ("plain text", "plain text", "stop"),
        (Message("assistant", "a message"), "a message", "stop"),
        (Message("assistant", (CALL,)), "", "tool_calls"),
        (Completion(Message("assistant", "whole"), "length"), "whole", "length"),
    ],
)
def test_what_generate_may_give(answer: object, text: str, finish: str) -> None:
    """A string, a message or a completion becomes a reply."""
    reply = _ask(Gives(answer))
    assert (reply.text, reply.finish_reason, reply.provider) == (text, finish, "mine")


def test_a_reply_of_another_runtime_may_be_passed_on() -> None:
    """A provider may itself ask a runtime and give its reply."""
    inner = _ask(Gives("from within"))
    assert _ask(Gives(inner)).text == "from within"


def test_anything_else_is_a_malformed_response() -> None:
    """What is no answer is said to be none, with what it was."""
    with pytest.raises(MalformedResponseError, match="not int"):
        _ask(Gives(42))


def test_a_provider_error_keeps_its_class() -> None:
    """A typed error of the user's own code arrives as it is, with the provider's name."""
    with pytest.raises(ContextLengthError, match="mine: too long"):
        _ask(Gives(ContextLengthError("too long")))


def test_any_other_exception_is_a_crash_of_its_own_request() -> None:
    """A bug becomes ProviderCrashedError, with the bug as its cause, and the next call works."""

    async def scenario(world: World) -> str:
        broken = Gives(ValueError("a bug"))
        async with world.open(Config(default=Provider("custom", "mine", cls=broken))) as llm:
            with pytest.raises(ProviderCrashedError, match="ValueError: a bug") as caught:
                await llm.generate("hi")
            assert isinstance(caught.value.__cause__, ValueError)
            broken.answer = "mended"
            return (await llm.generate("hi")).text

    assert run(scenario).value == "mended"


def test_one_error_object_raised_in_several_calls_is_not_written_over() -> None:
    """Each call gets an error of its own, though the provider raises the same object."""

    async def scenario(world: World) -> None:
        shared = Gives(ContextLengthError("too long", provider="elsewhere"))
        async with world.open(Config(default=Provider("custom", "mine", cls=shared))) as llm:
            caught: list[ContextLengthError] = []
            for _ in range(2):
                with pytest.raises(ContextLengthError) as info:
                    await llm.generate("hi")
                caught.append(info.value)
        assert caught[0] is not caught[1]
        assert shared.answer.provider == "elsewhere"

    run(scenario)


def test_the_configured_model_reaches_the_class() -> None:
    """`request.model` is the model asked for, or else the configured one."""

    async def scenario(world: World) -> list[str | None]:
        mine = Gives("ok")
        config = Config(default=Provider("custom", "mine", cls=mine, model="m-1"))
        async with world.open(config) as llm:
            await llm.generate("hi")
            await llm.generate("hi", model="m-2")
        return [request.model for request in mine.asked]

    assert run(scenario).value == ["m-1", "m-2"]


def test_without_a_stream_method_the_whole_answer_is_one_piece_of_each_kind() -> None:
    """A class that cannot stream still serves a stream."""
    message = Message("assistant", (Reasoning("hm"), "text", CALL))
    events, reply = _listen(Gives(message))
    assert events == [
        ReasoningDelta("hm"),
        TextDelta("text"),
        ToolCallDelta(0, "c1", "lookup", '{"x": 1}'),
    ]
    assert reply.message == message


def test_a_stream_method_gives_its_pieces_and_the_whole() -> None:
    """Strings and deltas pass through as they come, and make up the reply."""
    pieces = [
        ReasoningDelta("hm"),
        "one ",
        TextDelta("two"),
        ToolCallDelta(0, "c1", "lookup", '{"x"'),
        ToolCallDelta(0, arguments=": 1}"),
    ]
    events, reply = _listen(Speaks(pieces))
    assert events == [pieces[0], TextDelta("one "), *pieces[2:]]
    assert reply.message.reasoning == "hm"
    assert (reply.text, reply.tool_calls) == ("one two", (CALL,))


def test_a_stream_left_early_closes_the_generator() -> None:
    """The user's generator ends before the block does."""
    ended: list[str] = []

    class Endless:
        async def generate(self, _request: Request) -> str:
            raise AssertionError("only streamed")

        async def stream(self, _request: Request) -> AsyncGenerator[str, None]:
            try:
                while True:
                    yield "again "
                    await trio.sleep(1)
            finally:
                ended.append("closed")

    async def scenario(world: World) -> None:
        async with world.open(Config(default=Provider("custom", "mine", cls=Endless()))) as llm:
            async with llm.stream("hi") as answer:
                async for _ in answer:
                    break
            assert ended == ["closed"]

    run(scenario)


def test_a_context_manager_lives_as_long_as_its_actor() -> None:
    """It is entered before the first call and left before the runtime has closed."""
    diary: list[str] = []

    class Resource:
        async def __aenter__(self) -> Self:
            diary.append("entered")
            return self

        async def __aexit__(
            self,
            kind: type[BaseException] | None,
            error: BaseException | None,
            traceback: TracebackType | None,
        ) -> None:
            diary.append("left")

        async def generate(self, _request: Request) -> str:
            diary.append("asked")
            return "ok"

    async def scenario(world: World) -> None:
        async with world.open(Config(default=Provider("custom", "mine", cls=Resource()))) as llm:
            await llm.generate("hi")
        diary.append("closed")

    run(scenario)
    assert diary == ["entered", "asked", "left", "closed"]


def test_a_class_whose_resource_cannot_open_goes_down_and_harms_nobody_else() -> None:
    """After too many failed starts its provider is down, and a fallback goes on."""

    class Broken:
        async def __aenter__(self) -> Self:
            raise OSError("no such device")

        async def __aexit__(self, *_exc: object) -> None:
            raise AssertionError("never entered")

        async def generate(self, _request: Request) -> str:
            raise AssertionError("never asked")

    async def scenario(world: World) -> tuple[str, str]:
        broken = Provider("custom", "broken", cls=Broken())
        tree = Fallback([broken, Provider("custom", "fine", cls=Gives("ok"))])
        async with world.open(Config(default=tree)) as llm:
            state = llm.provider("broken").status_of().state
            return state, (await llm.generate("hi")).text

    assert run(scenario).value == ("down", "ok")


def test_a_class_with_options_is_made_with_them() -> None:
    """`options` are the keyword arguments of the class."""
    assert _ask(Gives, options={"answer": "made to order"}).text == "made to order"


def test_the_last_event_of_a_custom_stream_carries_the_reply() -> None:
    """A stream ends with `Finished`."""

    async def scenario(world: World) -> object:
        async with (
            world.open(Config(default=Provider("custom", "mine", cls=Speaks(["a"])))) as llm,
            llm.stream("hi") as answer,
        ):
            return [event async for event in answer][-1]

    last = run(scenario).value
    assert isinstance(last, Finished)
    assert last.reply.text == "a"

"""A shape asked for by a forced tool, or in words, where a provider has no means of its own."""

import json
from collections.abc import Sequence
from typing import Any

import attrs
import pytest

from trio_llm import (
    Completion,
    Config,
    Message,
    OutputSchema,
    Provider,
    Reasoning,
    ReasoningDelta,
    Reply,
    Request,
    StreamInterruptedError,
    TextDelta,
    Tool,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from trio_llm.chat import Delta, EmbedRequest
from trio_llm.providers.backend import Work
from trio_llm.providers.structured import StructuredBackend
from trio_llm.testing import Answers, ScriptedProvider, World, run

OUTPUT = OutputSchema("Point", {"type": "object", "properties": {}}, description="A place.")
PARTS = ('{"x"', ": 1", "}")
CALL = ToolCall.parse("c1", "Point", "".join(PARTS))


@attrs.define
class Model:
    """A backend that gives what it is told, and notes what it is asked."""

    completion: Completion
    deltas: Sequence[Delta] = ()
    fails: bool = False
    asked: list[Work] = attrs.field(factory=list[Work], init=False)

    operations = frozenset({EmbedRequest})

    def resources(self) -> Any:
        return ScriptedProvider(Answers()).resources()

    async def answer(self, work: Work) -> Completion:
        self.asked.append(work)
        if work.sink is not None:
            for delta in self.deltas:
                await work.sink.put([delta])
        if self.fails:
            raise StreamInterruptedError("cut")
        return self.completion


@attrs.define
class Seen:
    """A sink that keeps everything."""

    deltas: list[Any] = attrs.field(factory=list[Any], init=False)

    async def put(self, deltas: Sequence[Any]) -> None:
        self.deltas += deltas


async def _ask(
    model: Model, mode: Any, sink: Seen | None = None, **options: Any
) -> tuple[Completion, Request]:
    given: dict[str, Any] = {"messages": "Where?", "output": OUTPUT} | options
    request = Request(**given)
    answer = await StructuredBackend(model, mode).answer(Work(request, "m", 1, ("p",), 1, sink))
    assert isinstance(answer, Completion)
    return answer, model.asked[0].conversation


async def test_a_forced_tool_gives_its_arguments_as_the_answer() -> None:
    """The tool is named after the schema; the reply is text, and ends as one."""
    thought = Reasoning("hm", {"signature": "s"}, "anthropic")
    said = Message("assistant", (thought, "Let me see.", CALL))
    answer, asked = await _ask(Model(Completion(said, "tool_calls", usage=Usage(1, 2))), "tool")
    assert asked.output is None
    assert asked.tools == (Tool("Point", "A place.", OUTPUT.schema),)
    assert asked.tool_choice == "Point"
    assert answer.message == Message("assistant", (thought, '{"x": 1}'))
    assert (answer.finish_reason, answer.usage) == ("stop", Usage(1, 2))


async def test_arguments_that_came_as_an_object_are_written_as_text() -> None:
    """Providers that give no text give the same answer."""
    call = ToolCall("c1", "Point", {"x": "ü"})
    answer, _ = await _ask(Model(Completion(Message("assistant", call), "tool_calls")), "tool")
    assert answer.message.text == '{"x": "ü"}'


async def test_a_call_that_was_cut_stays_cut() -> None:
    """The reason to end is not hidden, so that the caller learns of it."""
    call = ToolCall.parse("c1", "Point", '{"x"')
    answer, _ = await _ask(Model(Completion(Message("assistant", call), "length")), "tool")
    assert (answer.message.text, answer.finish_reason) == ('{"x"', "length")


async def test_streamed_arguments_are_streamed_text() -> None:
    """Words before the call are left out, and other calls too."""
    deltas: list[Delta] = [
        ReasoningDelta("hm"),
        TextDelta("Let me see."),
        ToolCallDelta(0, "c1", "Point", ""),
        *[ToolCallDelta(0, arguments=part) for part in PARTS],
        ToolCallDelta(1, "c2", "Point", "{}"),
    ]
    said = Message("assistant", ("Let me see.", CALL, ToolCall("c2", "Point")))
    sink = Seen()
    answer, _ = await _ask(Model(Completion(said, "tool_calls"), deltas), "tool", sink)
    assert sink.deltas == [ReasoningDelta("hm"), *map(TextDelta, PARTS)]
    assert answer.message.text == "".join(PARTS)


async def test_only_the_call_of_the_tool_is_the_answer() -> None:
    """A call of a tool that there is not is left out; a name may come after arguments."""
    deltas: list[Delta] = [
        ToolCallDelta(0, "c0", "Plane", '{"y": 2}'),
        ToolCallDelta(1, "c1", None, PARTS[0]),
        ToolCallDelta(1, None, "Point", PARTS[1]),
        ToolCallDelta(1, arguments=PARTS[2]),
    ]
    said = Message("assistant", (ToolCall("c0", "Plane", {"y": 2}), CALL))
    sink = Seen()
    answer, _ = await _ask(Model(Completion(said, "tool_calls"), deltas), "tool", sink)
    assert "".join(delta.text for delta in sink.deltas) == answer.message.text == '{"x": 1}'


@pytest.mark.parametrize(
    ("message", "deltas"),
    [
        (Message("assistant", '{"x": 1}'), [TextDelta('{"x"'), TextDelta(": 1}")]),
        (
            Message("assistant", ToolCall("c1", "Point", {"x": 1})),
            [ToolCallDelta(0, "c1", "Point")],
        ),
    ],
)
async def test_a_stream_gives_the_answer_even_without_pieces_of_arguments(
    message: Message, deltas: list[Delta]
) -> None:
    """A model that writes text in place of the call, or a call that came whole, is no loss."""
    sink = Seen()
    answer, _ = await _ask(Model(Completion(message), deltas), "tool", sink)
    assert sink.deltas == [TextDelta('{"x": 1}')]
    assert answer.message.text == '{"x": 1}'


async def test_a_stream_that_breaks_is_not_completed() -> None:
    """What came stays; nothing is added."""
    sink = Seen()
    deltas = [ToolCallDelta(0, "c1", "Point", PARTS[0])]
    with pytest.raises(StreamInterruptedError):
        await _ask(Model(Completion(Message("assistant", "")), deltas, fails=True), "tool", sink)
    assert sink.deltas == [TextDelta(PARTS[0])]


@pytest.mark.parametrize("mode", ["tool", "prompt"])
async def test_a_request_with_tools_of_its_own_is_asked_in_words(mode: str) -> None:
    """A forced tool would keep the model from them."""
    tool = Tool("look")
    said = Message("assistant", ToolCall("c1", "look"))
    answer, asked = await _ask(Model(Completion(said, "tool_calls")), mode, tools=(tool,))
    assert (asked.tools, asked.tool_choice, asked.output) == ((tool,), None, None)
    assert asked.messages[0].role == "system"
    assert (answer.message, answer.finish_reason) == (said, "tool_calls")


@pytest.mark.parametrize("system", [None, "Be brief."])
async def test_in_words_the_schema_joins_the_system_message(system: str | None) -> None:
    """There is one system message, at the beginning, as some servers demand."""
    messages = (*([Message("system", system)] if system else []), Message("user", "Where?"))
    model = Model(Completion(Message("assistant", "{}")))
    _, asked = await _ask(model, "prompt", messages=messages)
    assert asked.output is None
    assert [message.role for message in asked.messages] == ["system", "user"]
    text = asked.messages[0].text
    assert text.startswith(system or "Give your answer")
    assert json.dumps(OUTPUT.schema) in text
    assert "A place." in text


async def test_a_request_without_a_shape_passes_untouched() -> None:
    """The very same work reaches the backend, and the very same answer the caller."""
    model = Model(Completion(Message("assistant", "hi")))
    backend = StructuredBackend(model, "tool")
    work = Work(Request(messages="Hi."), "m", 1, ("p",), 1, None)
    assert await backend.answer(work) is model.completion
    assert model.asked[0] is work
    assert backend.operations == {EmbedRequest}


@attrs.define(eq=False)
class Poet:
    """A custom provider; with means of its own it is given the schema."""

    structured_output: bool
    requests: list[Request] = attrs.field(factory=list[Request], init=False)

    async def generate(self, request: Request) -> str:
        self.requests.append(request)
        return "{}"


@pytest.mark.parametrize("native", [False, True])
def test_a_custom_provider_says_whether_it_has_means_of_its_own(*, native: bool) -> None:
    """Without the attribute ``structured_output`` it is asked in words."""
    poet = Poet(native)

    async def scenario(world: World) -> Reply:
        async with world.open(Config(default=Provider("custom", "poet", cls=poet))) as llm:
            return await llm.generate("Go.", output=OUTPUT)

    assert run(scenario).value.text == "{}"
    (asked,) = poet.requests
    assert (asked.output == OUTPUT) is native
    assert (asked.messages[0].role == "system") is not native

"""Prompts and answers are recorded only for those who ask for them."""

import json
from typing import Any

import attrs
import pytest
import trio

from tests.guarantees.scenes import Cast
from tests.telemetry.telemetry_scenes import ANSWER, PROMPT, Recorder, everything_said, facts
from trio_llm import (
    Audio,
    Config,
    EmbedRequest,
    Fallback,
    File,
    Image,
    InvalidRequestError,
    ListModels,
    LLMError,
    Message,
    ModerateRequest,
    Provider,
    Race,
    Request,
    ServerError,
    TelemetrySettings,
    Text,
    Tool,
    ToolCall,
    ToolResult,
    events,
)
from trio_llm.chat import Completion, Embeddings, Reasoning, Usage
from trio_llm.telemetry import Tracing
from trio_llm.telemetry.content import answer_content, request_content
from trio_llm.telemetry.happenings import TOLD, happening
from trio_llm.testing import Answers, Fails, ScriptedProvider, World, run

QUOTING = f"Invalid value: '{PROMPT}'"
"""What a provider may say of a prompt."""


def _recorded(*, content: bool, allowed: bool) -> Recorder:
    """Trace a scene whose errors quote the prompt.

    Args:
        content: What the configuration says.
        allowed: What the observer was told.
    """
    recorder = Recorder()

    async def scene(world: World) -> None:
        cast = Cast()
        member = Fallback(
            [
                cast.provider("broken", Fails(ServerError(QUOTING))),
                Race(
                    [cast.provider("house", Answers(ANSWER)), cast.provider("b", Answers(ANSWER))]
                ),
            ],
            name="safe",
        )
        config = Config(default=member, telemetry=TelemetrySettings(content=content))
        async with world.open(config) as llm:
            llm.subscribe(Tracing(recorder.provider, content=allowed))
            await llm.generate(PROMPT, user="ann", tags={"tag": PROMPT}, metadata={"m": PROMPT})
            async with llm.stream(PROMPT) as stream:
                async for _ in stream:
                    pass
            with trio.move_on_after(0.0):
                await llm.generate(PROMPT)

    run(scene)
    assert len(recorder.calls) == 3
    return recorder


@pytest.mark.parametrize(("content", "allowed"), [(False, False), (True, False)])
def test_nothing_that_was_said_is_in_a_span(content: bool, allowed: bool) -> None:
    """Not the prompt, not the answer, not what an error quotes of them, and not the user."""
    for span in _recorded(content=content, allowed=allowed).spans:
        said = everything_said(span)
        assert PROMPT not in said
        assert ANSWER not in said
        assert "ann" not in facts(span).values()


def test_without_content_in_the_events_only_reasons_are_quoted() -> None:
    """An observer that may record them gets no messages that the configuration withholds."""
    for span in _recorded(content=False, allowed=True).spans:
        assert "gen_ai.input.messages" not in facts(span)
        assert "gen_ai.output.messages" not in facts(span)


def test_content_is_there_when_it_is_asked_for() -> None:
    """The call's span has messages in the form of the conventions, and the words of errors."""
    recorder = _recorded(content=True, allowed=True)
    for call in recorder.calls[:2]:
        said = facts(call)
        assert json.loads(said["gen_ai.input.messages"]) == [
            {"role": "user", "parts": [{"type": "text", "content": PROMPT}]}
        ]
        assert json.loads(said["gen_ai.output.messages"]) == [
            {"role": "assistant", "parts": [{"type": "text", "content": ANSWER}]}
        ]
    broken = [span for span in recorder.attempts if facts(span)["trio_llm.outcome"] == "failed"]
    assert {span.status.description for span in broken} == {QUOTING}
    assert any(QUOTING in everything_said(call) for call in recorder.calls)


def test_a_conversation_keeps_its_shape() -> None:
    """Roles, parts, tools and settings are told in the words of the conventions."""
    request = Request(
        messages=[
            Message("system", "be brief"),
            Message(
                "user",
                [
                    Text("what is this?"),
                    Image(url="https://example.com/cat.png"),
                    Image(url="data:image/png;base64,AAAA"),
                    Image(content=b"1234", media_type="image/png"),
                    Audio(b"12345"),
                    File(url="https://example.com/a.pdf", media_type="application/pdf"),
                ],
            ),
            Message(
                "assistant", [Reasoning("let me look"), ToolCall("call_1", "look", {"at": "it"})]
            ),
            Message("tool", [ToolResult("call_1", "a cat")]),
        ],
        model="large",
        max_tokens=50,
        temperature=0.5,
        top_p=0.9,
        seed=7,
        stop=["END"],
        reasoning="low",
        tools=[Tool("look", "Looks.")],
    )
    said = request_content(request)
    system, user, assistant, tool = json.loads(str(said.pop("gen_ai.input.messages")))
    assert system == {"role": "system", "parts": [{"type": "text", "content": "be brief"}]}
    assert user["parts"][1:] == [
        {
            "type": "uri",
            "mime_type": None,
            "modality": "image",
            "uri": "https://example.com/cat.png",
        },
        {"type": "blob", "mime_type": None, "modality": "image", "content": "", "size": 26},
        {"type": "blob", "mime_type": "image/png", "modality": "image", "content": "", "size": 4},
        {"type": "blob", "mime_type": "audio/wav", "modality": "audio", "content": "", "size": 5},
        {
            "type": "uri",
            "mime_type": "application/pdf",
            "modality": "document",
            "uri": "https://example.com/a.pdf",
        },
    ]
    assert assistant["parts"] == [
        {"type": "reasoning", "content": "let me look"},
        {"type": "tool_call", "id": "call_1", "name": "look", "arguments": {"at": "it"}},
    ]
    assert tool["parts"] == [{"type": "tool_call_response", "id": "call_1", "response": "a cat"}]
    assert json.loads(str(said.pop("gen_ai.tool.definitions"))) == [
        {"type": "function", "name": "look"}
    ]
    assert said == {
        "gen_ai.request.max_tokens": 50,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.request.seed": 7,
        "gen_ai.request.stop_sequences": ["END"],
        "gen_ai.request.reasoning.level": "low",
    }


def test_texts_of_other_operations_are_told_and_vectors_are_not() -> None:
    """What is to be embedded or judged is words; what comes back is not."""
    for request in (EmbedRequest(texts=["a", "b"]), ModerateRequest(texts=["a", "b"])):
        assert request_content(request) == {"trio_llm.input.texts": '["a", "b"]'}
    assert request_content(ListModels()) == {}
    assert answer_content(Embeddings(vectors=((1.0, 2.0),))) == {}


def _holding_itself() -> dict[str, Any]:
    table: dict[str, Any] = {}
    table["self"] = table
    return table


@pytest.mark.parametrize(
    "arguments",
    [{"text": "\ud800 lone"}, {"set": {1, 2}}, {("a", "b"): 1}, _holding_itself()],
    ids=["surrogate", "no JSON", "no key of JSON", "without end"],
)
def test_whatever_stands_in_a_message_makes_no_error(arguments: dict[str, Any]) -> None:
    """It is written in some way that can be sent, and the span is not lost for it."""
    request = Request(messages=[Message("assistant", [ToolCall("1", "look", arguments)])])
    written = str(request_content(request)["gen_ai.input.messages"])
    json.loads(written.encode("utf-8"))


def test_arguments_that_are_no_json_are_told_as_they_came() -> None:
    """A broken call keeps its text."""
    call = ToolCall.parse("1", "look", "{broken")
    message = Completion(Message("assistant", [call]), usage=Usage(1, 1))
    (answer,) = json.loads(str(answer_content(message)["gen_ai.output.messages"]))
    assert answer["parts"][0]["arguments"] == "{broken"


def test_only_what_is_listed_is_told_of_an_event() -> None:
    """Reasons and scores stay out of the events of a span, whatever they hold."""
    given = [
        events.FellBack(1.0, 1, ("fast",), "house", QUOTING),
        events.AdviceMissing(1.0, 1, ("fast",), "judge", "house", QUOTING),
        events.CooldownStarted(1.0, 1, ("house",), 3.0, QUOTING),
        events.BreakerChanged(1.0, 1, ("house",), "closed", "open", QUOTING),
        events.LoserCancelled(1.0, 1, ("fast",), "house", QUOTING),
        events.LoserDiscarded(1.0, 1, ("fast",), "house", QUOTING),
        events.CleanupOverran(1.0, 1, ("fast",), QUOTING),
    ]
    for event in given:
        shown = happening(event, content=False)
        assert shown is not None
        assert PROMPT not in repr(shown)
    assert happening(events.StoreFailed(1.0, 1, (), QUOTING, 1), content=True) is None
    quoted = happening(given[0], content=True)
    assert quoted is not None
    assert quoted.attributes["trio_llm.reason"] == QUOTING


def test_every_field_that_is_told_exists() -> None:
    """The list names fields that the records have."""
    for record, fields in TOLD.items():
        assert set(fields) <= {field.name for field in attrs.fields(record)}


def test_an_error_of_the_caller_says_its_class_alone() -> None:
    """What a provider refused is named by the class of the error."""
    recorder = Recorder()

    async def scene(world: World) -> None:
        script = ScriptedProvider(Fails(InvalidRequestError(QUOTING)))
        async with world.open(Config(default=Provider("custom", "house", cls=script))) as llm:
            llm.subscribe(Tracing(recorder.provider))
            with pytest.raises(LLMError):
                await llm.generate(PROMPT)

    run(scene)
    for span in recorder.spans:
        assert facts(span)["error.type"] == "InvalidRequestError"
        assert PROMPT not in everything_said(span)

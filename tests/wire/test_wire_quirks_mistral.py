"""Mistral: content in lists, strict requests, errors in four shapes."""

import json
import re
from typing import Any

import pytest

from tests.wire.wire_chat import DONE, call, chunk, refused, reply, sent, stream, usage_of
from tests.wire.wire_operations import answered, asked, embedded, listed
from trio_llm.chat import (
    Capability,
    EmbedRequest,
    ListModels,
    Message,
    ModerateRequest,
    Moderation,
    ReasoningDelta,
    TextDelta,
    Tool,
    ToolCall,
    ToolResult,
    Usage,
)
from trio_llm.errors import (
    AuthenticationError,
    InvalidRequestError,
    ModelNotFoundError,
    OverloadedError,
    ProviderError,
    RateLimitError,
)
from trio_llm.wire.presets import MISTRAL


def thinking(text: str) -> dict[str, Any]:
    """Write a part of reasoning."""
    return {"type": "thinking", "thinking": [{"type": "text", "text": text}]}


def test_mistral_streams_content_in_lists() -> None:
    """Thinking comes as parts of the content, and the answer as text or as parts."""
    deltas, completion = stream(
        chunk({"content": [thinking("h")]}),
        chunk({"content": [thinking("m")]}),
        chunk({"content": [{"type": "text", "text": "a"}]}),
        chunk({"content": "b"}, finish="stop"),
        DONE,
    )
    parts = [ReasoningDelta("h"), ReasoningDelta("m"), TextDelta("a"), TextDelta("b")]
    assert deltas == parts
    assert (completion.message.reasoning, completion.message.text) == ("hm", "ab")


def test_mistral_gives_whole_replies_in_lists() -> None:
    """The same parts, all at once."""
    message = reply({"content": [thinking("hm"), {"type": "text", "text": "a"}]}).message
    assert (message.reasoning, message.text) == ("hm", "a")


def test_mistral_pads_its_chunks() -> None:
    """The field ``p`` is no part of the reply."""
    assert stream(chunk({"content": "a"}, p="abcdef"), chunk(finish="stop"))[0] == [TextDelta("a")]


def test_mistral_gives_usage_with_the_last_choice() -> None:
    """Always, without being asked."""
    counts = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    assert usage_of(chunk({"content": "a"}), chunk(finish="stop", usage=counts), DONE) == (
        Usage(5, 2)
    )
    assert "stream_options" not in sent(quirks=MISTRAL, stream=True)


def test_mistral_has_sent_calls_without_an_index() -> None:
    """Two whole calls in one delta are two calls."""
    first, second = call("{}", name="f", id="D681PevKs"), call("{}", name="g", id="Xyz012abc")
    both = {"tool_calls": [*first["tool_calls"], *second["tool_calls"]]}
    _, completion = stream(chunk(both, finish="tool_calls"), DONE)
    assert [made.name for made in completion.message.tool_calls] == ["f", "g"]


def test_mistral_sends_a_whole_call_in_one_delta() -> None:
    """With the identifier "null" of its older models, too."""
    _, completion = stream(chunk(call('{"a": 1}', index=0, id="null", name="f"), "tool_calls"))
    assert completion.message.tool_calls[0].arguments == {"a": 1}


def test_mistral_is_asked_in_its_own_words() -> None:
    """The seed, the demanded call and the limit have other names; a user has none."""
    body = sent(
        quirks=MISTRAL,
        model="gpt-5-like",
        seed=7,
        tools=[Tool("f")],
        tool_choice="required",
        max_tokens=5,
        user="u",
    )
    assert (body["random_seed"], body["tool_choice"], body["max_tokens"]) == (7, "any", 5)
    assert not {"seed", "user", "max_completion_tokens"} & body.keys()


def test_mistral_wants_nine_letters_for_a_call() -> None:
    """A conversation that began elsewhere goes on with identifiers that it takes."""
    talk = [
        Message("user", "hi"),
        Message("assistant", ToolCall("toolu_01A09q90qw90lq917835lq9", "f")),
        Message("tool", ToolResult("toolu_01A09q90qw90lq917835lq9", "x")),
    ]
    messages = sent(*talk, quirks=MISTRAL)["messages"]
    call_id = messages[1]["tool_calls"][0]["id"]
    assert re.fullmatch("[a-zA-Z0-9]{9}", call_id)
    assert messages[2]["tool_call_id"] == call_id


def test_mistral_wants_a_reply_between_a_result_and_a_question() -> None:
    """It refuses a user's message right after a tool's."""
    talk = [
        Message("user", "hi"),
        Message("assistant", ToolCall("a", "f")),
        Message("tool", ToolResult("a", "x")),
        Message("user", "and?"),
    ]
    roles = [message["role"] for message in sent(*talk, quirks=MISTRAL)["messages"]]
    assert roles == ["user", "assistant", "tool", "assistant", "user"]


@pytest.mark.parametrize(
    ("status", "body", "cls"),
    [
        (401, {"detail": "Invalid API Key"}, AuthenticationError),
        (
            400,
            {
                "object": "error",
                "message": "Invalid model: x",
                "type": "invalid_model",
                "code": "1500",
                "raw_status_code": 400,
            },
            ModelNotFoundError,
        ),
        (
            400,
            {"object": "error", "message": "bad", "type": "invalid_request_error", "code": "3051"},
            InvalidRequestError,
        ),
        (429, {"message": "Requests rate limit exceeded"}, RateLimitError),
        (
            429,
            {"object": "error", "message": "Rate limit exceeded", "code": "1300"},
            RateLimitError,
        ),
        (
            422,
            {"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs", "type": "extra"}]},
            InvalidRequestError,
        ),
        (
            429,
            {"object": "error", "message": "Service tier capacity exceeded", "code": "3505"},
            OverloadedError,
        ),
        (
            503,
            {"object": "error", "message": "Service tier capacity exceeded", "code": "3505"},
            OverloadedError,
        ),
    ],
)
def test_mistral_errors_have_their_classes(
    status: int, body: dict[str, Any], cls: type[ProviderError]
) -> None:
    """In all of its shapes; a lack of capacity is no rate limit."""
    error = refused(status, body)
    assert type(error) is cls
    assert error.message != "the provider gave no reason"


def test_mistral_fails_inside_a_200_with_an_object_of_its_own() -> None:
    """``object: error`` is an error wherever it comes."""
    with pytest.raises(RateLimitError):
        stream(b'data: {"object":"error","message":"slow","raw_status_code":429}\n\n')


def test_mistral_has_its_own_name_for_dimensions() -> None:
    """And takes neither a user nor a purpose."""
    request = EmbedRequest(texts="a", dimensions=8, user="u", purpose="query")
    body = json.loads(asked(request, quirks=MISTRAL).body)
    assert body == {"model": "m", "input": ["a"], "output_dimension": 8}


def test_mistral_counts_no_output_for_vectors() -> None:
    """Its usage has many fields, most of them null."""
    counts = {"prompt_tokens": 5, "total_tokens": 5, "completion_tokens": 0, "request_count": None}
    vector = {"object": "embedding", "embedding": [0.5], "index": 0}
    assert embedded({"data": [vector], "usage": counts}, quirks=MISTRAL).usage == Usage(5)


def test_mistral_judges_without_a_verdict_of_its_own() -> None:
    """A text is flagged if one of its categories applies."""
    result = answered(
        ModerateRequest(texts=["a", "b"]),
        {
            "id": "x",
            "model": "mistral-moderation-latest",
            "results": [
                {"categories": {"pii": True, "law": False}, "category_scores": {"pii": 0.9}},
                {"categories": {"pii": False, "law": False}, "category_scores": {"pii": 0.1}},
            ],
        },
        quirks=MISTRAL,
    )
    assert isinstance(result, Moderation)
    assert [verdict.flagged for verdict in result.verdicts] == [True, False]
    assert result.categories == {"pii"}


def test_mistral_lists_abilities_and_windows_without_prices() -> None:
    """An ability that is false is not there."""
    entry = {
        "id": "mistral-medium-2505",
        "capabilities": {"completion_chat": True, "function_calling": True, "vision": False},
        "max_context_length": 131_072,
        "aliases": ["mistral-medium"],
    }
    (model,) = listed(ListModels(), {"data": [entry]}, quirks=MISTRAL)
    abilities = frozenset({Capability.CHAT, Capability.TEXT_GENERATION, Capability.TOOLS})
    assert model.capabilities == abilities
    assert (model.context_window, model.price) == (131_072, None)

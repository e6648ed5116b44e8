"""Counting of tokens and the models of Anthropic's interface."""

import json
from typing import Any

import pytest

from trio_llm.chat import (
    Capability,
    CountRequest,
    EmbedRequest,
    ListModels,
    Message,
    ModelInfo,
    ModelList,
    ModerateRequest,
    OutputSchema,
    Request,
    ShowModel,
    TokenCount,
    Tool,
)
from trio_llm.errors import MalformedResponseError, OverloadedError, ProviderError
from trio_llm.wire import DIALECTS, Quirks

ANTHROPIC = DIALECTS["anthropic"]
COUNT, LIST, SHOW = [ANTHROPIC.operations[kind] for kind in (CountRequest, ListModels, ShowModel)]
ASKED = CountRequest(request=Request(messages="hi"))


def test_there_are_neither_vectors_nor_verdicts() -> None:
    """The provider has no such endpoints."""
    assert set(ANTHROPIC.operations) == {CountRequest, ListModels, ShowModel}
    assert not {EmbedRequest, ModerateRequest} & set(ANTHROPIC.operations)


def test_a_count_is_asked_for_without_what_concerns_the_answer() -> None:
    """All that adds to the input is sent, and nothing that the endpoint would refuse."""
    request = Request(
        messages=[Message("system", "be brief"), Message("user", "hi")],
        max_tokens=5,
        temperature=0.5,
        top_p=0.5,
        stop="x",
        tools=[Tool("f")],
        tool_choice="f",
        reasoning="2048",
        output=OutputSchema("n", {"type": "object"}),
        user="u",
        extra={"anthropic": {"service_tier": "auto", "cache_control": {"type": "ephemeral"}}},
    )
    outgoing = COUNT.encode(CountRequest(request=request), model="m")
    assert (outgoing.method, outgoing.path) == ("POST", "/messages/count_tokens")
    assert outgoing.headers == {"anthropic-version": "2023-06-01"}
    assert json.loads(outgoing.body) == {
        "model": "m",
        "system": "be brief",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        "tools": [{"name": "f", "input_schema": {"type": "object", "properties": {}}}],
        "tool_choice": {"type": "tool", "name": "f"},
        "thinking": {"type": "enabled", "budget_tokens": 2048},
        "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}},
        "cache_control": {"type": "ephemeral"},
    }


def test_a_count_ignores_what_the_newer_version_refuses() -> None:
    """Sampling does not change the input, so that it is left out rather than refused."""
    codec = ANTHROPIC.adapted(Quirks(version="2026-10-21")).operations[CountRequest]
    request = Request(messages="hi", temperature=1)
    outgoing = codec.encode(CountRequest(request=request), model="m")
    assert outgoing.headers == {"anthropic-version": "2026-10-21"}
    assert set(json.loads(outgoing.body)) == {"model", "messages"}


def test_a_count_is_exact() -> None:
    """The provider's number is no estimate."""
    count = COUNT.decode(b'{"input_tokens":14}', ASKED)
    assert isinstance(count, TokenCount)
    assert (count.tokens, count.exact, count.error) == (14, True, None)


@pytest.mark.parametrize("tokens", ["null", '"14"', "-1", "true", "1.5", "[]"])
def test_a_count_that_is_none_is_malformed(tokens: str) -> None:
    """Zero would be a lie."""
    with pytest.raises(MalformedResponseError):
        COUNT.decode(b'{"input_tokens":%b}' % tokens.encode(), ASKED)


def test_models_are_asked_for_in_one_page() -> None:
    """A list and one model are fetched with GET; a name with a slash stays one segment."""
    listed = LIST.encode(ListModels(), model="")
    assert (listed.method, listed.path, listed.body) == ("GET", "/models?limit=1000", b"")
    assert listed.headers == {"anthropic-version": "2023-06-01"}
    shown = SHOW.encode(ShowModel(model="a/b?c"), model="a/b?c")
    assert (shown.method, shown.path) == ("GET", "/models/a%2Fb%3Fc")


def entry(**fields: Any) -> dict[str, Any]:
    """Give one model as the provider describes it."""
    return {"type": "model", "id": "m-1", "display_name": "M 1", **fields}


def test_a_models_limits_and_abilities() -> None:
    """Both limits, and those abilities that it says it has."""
    abilities = {
        "image_input": {"supported": True},
        "pdf_input": {"supported": False},
        "structured_outputs": {"supported": True},
        "citations": {"supported": True},
    }
    fields = entry(
        max_input_tokens=1_000_000,
        max_tokens=128_000,
        capabilities=abilities,
        lifecycle="active",
    )
    result = SHOW.decode(json.dumps(fields).encode(), ShowModel(model="m-1"))
    assert isinstance(result, ModelList)
    info = result.models[0]
    assert (info.id, info.name) == ("m-1", "M 1")
    assert (info.context_window, info.max_output_tokens) == (1_000_000, 128_000)
    assert info.capabilities is not None
    assert {Capability.VISION, Capability.STRUCTURED_OUTPUT, Capability.TOOLS} <= info.capabilities
    assert Capability.FILE_INPUT not in info.capabilities
    assert Capability.EMBEDDING not in info.capabilities
    assert info.price is None
    assert info.details == {"capabilities": abilities, "lifecycle": "active"}


def test_a_model_that_says_nothing_is_unknown() -> None:
    """Older answers have neither limits nor abilities; nothing is made up."""
    body = json.dumps({"data": [entry(), {"type": "model"}, 3], "has_more": False}).encode()
    result = LIST.decode(body, ListModels())
    assert isinstance(result, ModelList)
    assert result.models == (ModelInfo(id="m-1", name="M 1"),)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"data":{}}', b"<html>", b'{"id":3}'])
@pytest.mark.parametrize("codec", [COUNT, LIST, SHOW])
def test_what_is_no_answer_is_malformed(codec: Any, body: bytes) -> None:
    """Emptiness, pages and other JSON are none of the three."""
    with pytest.raises(MalformedResponseError):
        codec.decode(body, ASKED)


@pytest.mark.parametrize("codec", [COUNT, LIST, SHOW])
def test_an_error_inside_a_200_is_raised(codec: Any) -> None:
    """It is classified like any other."""
    body = b'{"type":"error","error":{"type":"overloaded_error","message":"x"}}'
    with pytest.raises(OverloadedError):
        codec.decode(body, ASKED)


@pytest.mark.parametrize("codec", [COUNT, LIST, SHOW])
def test_nothing_of_it_is_streamed(codec: Any) -> None:
    """There are no events."""
    assert codec.decoder(ASKED) is None


@pytest.mark.parametrize("abilities", [{"image_input": 1}, {"image_input": {}}, [], "x", 3])
def test_odd_abilities_do_no_harm(abilities: Any) -> None:
    """A wrong type is as good as silence."""
    body = json.dumps(entry(capabilities=abilities, max_tokens="x")).encode()
    try:
        result = SHOW.decode(body, ShowModel(model="m-1"))
    except ProviderError as error:
        pytest.fail(f"refused: {error}")
    assert isinstance(result, ModelList)
    assert Capability.VISION not in (result.models[0].capabilities or ())
    assert result.models[0].max_output_tokens is None

"""Cloudflare: its OpenAI-compatible interface, and its own with models in the path."""

import json
from decimal import Decimal
from typing import Any

import pytest

from tests.wire.wire_chat import DONE, chunk, event, refused, reply, sent, text_of
from tests.wire.wire_operations import answered, asked, embedded, listed
from trio_llm.chat import (
    Capability,
    Completion,
    Delta,
    EmbedRequest,
    ListModels,
    Message,
    Price,
    Request,
    ShowModel,
    TextDelta,
    Tool,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from trio_llm.errors import (
    InvalidRequestError,
    MalformedResponseError,
    ModelNotFoundError,
    OverloadedError,
    PermissionDeniedError,
    ProviderError,
    ProviderTimeoutError,
    QuotaExceededError,
    StreamInterruptedError,
)
from trio_llm.wire import DIALECTS
from trio_llm.wire.presets import CLOUDFLARE

RUN = DIALECTS["cloudflare_run"]
COUNTS = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}


def envelope(result: Any, **fields: Any) -> dict[str, Any]:
    """Put a result into its envelope."""
    return {"result": result, "success": True, "errors": [], "messages": [], **fields}


def decode(value: Any) -> Completion:
    """Read a whole reply of the native interface."""
    return RUN.decode(json.dumps(value).encode())


def stream(*pieces: bytes) -> tuple[list[Delta], Completion]:
    """Read a stream of the native interface."""
    decoder = RUN.decoder()
    deltas = [delta for piece in pieces for delta in decoder.feed(piece)]
    return deltas, decoder.close()


def test_cloudflares_last_chunk_names_neither_model_nor_time() -> None:
    """The name is that of the chunks before it."""
    last = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": COUNTS})
    assert text_of(chunk({"content": "a"}), last, DONE) == "a"


def test_cloudflare_parses_an_answer_that_has_a_schema() -> None:
    """The object becomes JSON text again."""
    assert json.loads(reply({"content": {"a": [1]}}).message.text) == {"a": [1]}


def test_cloudflare_is_sent_no_labels() -> None:
    """The schemas of its models list none."""
    body = sent(quirks=CLOUDFLARE, user="u", metadata={"a": "b"}, seed=3)
    assert body.keys() == {"model", "messages", "seed"}


def test_a_model_is_run_by_its_path() -> None:
    """The body names none and asks for no usage, which comes anyway."""
    request = Request(
        messages=[Message("user", "hi"), Message("assistant", ToolCall("a", "f"))],
        tools=[Tool("f")],
        max_tokens=9,
        extra={"cloudflare_run": {"lora": "x"}, "openai_chat": {"n": 2}},
    )
    outgoing = RUN.encode(request, model="@cf/meta/llama 3", stream=True)
    assert outgoing.path == "/run/@cf/meta/llama%203"
    body = json.loads(outgoing.body)
    assert body.keys() == {"messages", "max_tokens", "stream", "tools", "lora"}
    assert body["messages"][1]["content"] == ""
    assert RUN.authenticate("k") == {"authorization": "Bearer k"}


def test_the_servers_side_finds_the_model_in_the_path() -> None:
    """With or without a query behind it; without any model the request is refused."""
    body = b'{"messages":[{"role":"user","content":"x"}],"stream":true}'
    incoming = RUN.parse("/client/v4/accounts/1/ai/run/@cf/meta/llama%203?x=1", body)
    assert (incoming.model, incoming.stream) == ("@cf/meta/llama 3", True)
    with pytest.raises(InvalidRequestError, match="model"):
        RUN.parse("/", body)


def test_a_bare_response_is_a_reply_without_a_finish_reason() -> None:
    """Text, usage, and nothing made up."""
    completion = decode(envelope({"response": "hi", "usage": COUNTS}))
    assert completion.message.text == "hi"
    assert completion.usage == Usage(5, 3)
    assert (completion.finish_reason, completion.raw_finish) == ("unknown", None)


@pytest.mark.parametrize(("response", "text"), [({"a": 1}, '{"a":1}'), (5, "5"), (None, "")])
def test_a_response_that_looked_like_json_is_text_again(response: Any, text: str) -> None:
    """Numbers and objects were parsed on the way."""
    assert decode(envelope({"response": response})).message.text == text


def test_tool_calls_without_identifiers_are_tool_calls() -> None:
    """Arguments are an object; identifiers are made up."""
    calls: list[Any] = [{"name": "f", "arguments": {"a": 1}}, {"name": "g", "arguments": {}}]
    completion = decode(envelope({"response": None, "tool_calls": calls}))
    made = completion.message.tool_calls
    assert [(call.id, call.name, call.arguments) for call in made] == [
        ("call_0", "f", {"a": 1}),
        ("call_1", "g", {}),
    ]
    assert completion.finish_reason == "tool_calls"


def test_newer_models_answer_in_openais_form_inside_the_envelope() -> None:
    """With a finish reason and everything else."""
    result = {
        "id": "r",
        "model": "m",
        "choices": [{"message": {"content": "hi"}, "finish_reason": "length"}],
        "usage": COUNTS,
    }
    completion = decode(envelope(result))
    assert (completion.message.text, completion.finish_reason) == ("hi", "length")
    assert completion.raw == envelope(result)


def test_a_stream_of_responses_ends_with_its_marker() -> None:
    """Tokens that look like numbers come as numbers; usage comes last."""
    deltas, completion = stream(
        event({"response": "a", "p": "abc"}),
        event({"response": 1}),
        event({"response": "", "usage": COUNTS}),
        DONE,
    )
    assert deltas == [TextDelta("a"), TextDelta("1")]
    assert (completion.usage, completion.finish_reason) == (Usage(5, 3), "unknown")


def test_a_stream_without_its_marker_was_cut() -> None:
    """No finish reason ever comes, so that nothing else tells the end."""
    with pytest.raises(StreamInterruptedError) as caught:
        stream(event({"response": "par"}))
    assert caught.value.partial_text == "par"


def test_streamed_calls_are_calls_of_their_own() -> None:
    """Two in one event, a third in the next; all whole."""
    first = {"name": "f", "arguments": {"a": 1}}
    second: Any = {"name": "f", "arguments": {}}
    deltas, completion = stream(
        event({"response": None, "tool_calls": [first, second]}),
        event({"tool_calls": [{"function": {"name": "g", "arguments": "{}"}}]}),
        DONE,
    )
    assert [call.name for call in completion.message.tool_calls] == ["f", "f", "g"]
    assert deltas[0] == ToolCallDelta(0, "call_0", "f")
    assert completion.finish_reason == "tool_calls"


def test_newer_models_stream_openais_chunks() -> None:
    """They are read as such."""
    completion = stream(chunk({"content": "a"}), chunk(finish="stop"), DONE)[1]
    assert (completion.message.text, completion.finish_reason) == ("a", "stop")


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        {"success": True},
        envelope(None),
        envelope("text"),
        envelope({}),
        envelope({"usage": COUNTS}),
        envelope({"choices": []}),
    ],
)
def test_an_envelope_without_a_reply_is_malformed(value: Any) -> None:
    """Nothing in it is no empty answer."""
    with pytest.raises(MalformedResponseError):
        decode(value)


def test_an_error_inside_a_200_is_raised() -> None:
    """Whole or in a stream."""
    failed = envelope(None, success=False, errors=[{"code": 3036, "message": "daily allocation"}])
    with pytest.raises(ProviderError, match="daily allocation"):
        decode(failed)
    with pytest.raises(ProviderError, match="daily allocation"):
        stream(event(failed))


@pytest.mark.parametrize(
    ("status", "code", "message", "cls"),
    [
        (400, 5007, "No such model @cf/x or task", ModelNotFoundError),
        (400, 5004, "Invalid data", InvalidRequestError),
        (400, 3003, "Bad request", InvalidRequestError),
        (403, 5018, "Account not allowed for private model", PermissionDeniedError),
        (403, 3041, "Account blocked", PermissionDeniedError),
        (403, 5016, "Model agreement", PermissionDeniedError),
        (403, 3023, "Not allowed", PermissionDeniedError),
        (404, 3042, "Invalid model ID", ModelNotFoundError),
        (413, 3006, "Request is too large", InvalidRequestError),
        (408, 3007, "Timeout", ProviderTimeoutError),
        (408, 3008, "Aborted", ProviderTimeoutError),
        (429, 3036, "You have used up your daily free allocation", QuotaExceededError),
        (429, 3040, "No more data centers to forward to", OverloadedError),
    ],
)
def test_cloudflare_errors_have_their_classes(
    status: int, code: int, message: str, cls: type[ProviderError]
) -> None:
    """By their codes: one 429 is not to be retried, and the other is."""
    body = envelope(None, success=False, errors=[{"code": code, "message": message}])
    for dialect in ("cloudflare_run", "openai_chat"):
        error = refused(status, body, dialect=dialect)
        assert type(error) is cls
        assert (error.code, error.message) == (str(code), message)


def test_the_native_interface_embeds_texts() -> None:
    """The vectors are the data of the result."""
    outgoing = asked(EmbedRequest(texts=["a", "b"]), model="@cf/b", dialect="cloudflare_run")
    assert (outgoing.path, json.loads(outgoing.body)) == ("/run/@cf/b", {"text": ["a", "b"]})
    body = envelope({"shape": [2, 2], "data": [[1, 2], [3, 4]], "pooling": "mean"})
    assert embedded(body, 2, dialect="cloudflare_run").vectors == ((1.0, 2.0), (3.0, 4.0))
    with pytest.raises(InvalidRequestError, match="dimensions"):
        asked(EmbedRequest(texts="a", dimensions=3), dialect="cloudflare_run")


@pytest.mark.parametrize("result", [None, {}, {"data": []}, {"data": [[1.0]]}, {"data": "x"}])
def test_missing_vectors_are_malformed(result: Any) -> None:
    """There must be one for each text."""
    with pytest.raises(MalformedResponseError):
        embedded(envelope(result), 2, dialect="cloudflare_run")


LLAMA = {
    "id": "uuid-1",
    "name": "@cf/meta/llama",
    "task": {"id": "t", "name": "Text Generation"},
    "properties": [
        {"property_id": "context_window", "value": "24000"},
        {"property_id": "function_calling", "value": "true"},
        {
            "property_id": "price",
            "value": [
                {"unit": "per M input tokens", "price": 0.293, "currency": "USD"},
                {"unit": "per M output tokens", "price": 2.253, "currency": "USD"},
            ],
        },
    ],
}
BGE = {
    "name": "@cf/baai/bge",
    "task": {"name": "Text Embeddings"},
    "properties": [
        {"property_id": "price", "value": [{"unit": "per M input tokens", "price": 0.02}]},
        {"property_id": "context_window", "value": "many"},
    ],
}


def test_the_native_interface_lists_models_by_a_search() -> None:
    """Names, windows, abilities and prices are among their properties."""
    outgoing = asked(ListModels(), dialect="cloudflare_run")
    assert (outgoing.method, outgoing.path) == ("GET", "/models/search?per_page=1000")
    body = envelope([LLAMA, BGE, {"name": None}, None])
    llama, bge = listed(ListModels(), body, dialect="cloudflare_run")
    assert (llama.id, llama.context_window) == ("@cf/meta/llama", 24_000)
    assert llama.price == Price(Decimal("0.293"), Decimal("2.253"))
    assert llama.capabilities == frozenset(
        {
            Capability.CHAT,
            Capability.TEXT_GENERATION,
            Capability.TOOLS,
        }
    )
    assert (bge.price, bge.context_window) == (None, None)
    assert bge.capabilities == frozenset({Capability.EMBEDDING})


def test_one_model_is_searched_for_by_its_name() -> None:
    """A search finds others too; only the exact name counts."""
    show = ShowModel(model="@cf/baai/bge")
    path = "/models/search?per_page=1000&search=%40cf%2Fbaai%2Fbge"
    assert asked(show, dialect="cloudflare_run").path == path
    assert listed(show, envelope([LLAMA, BGE]), dialect="cloudflare_run")[0].id == "@cf/baai/bge"
    with pytest.raises(ModelNotFoundError, match="@cf/baai/bge"):
        listed(show, envelope([LLAMA]), dialect="cloudflare_run")
    with pytest.raises(MalformedResponseError):
        listed(show, envelope({}), dialect="cloudflare_run")
    with pytest.raises(ProviderError, match="no"):
        answered(show, {"success": False, "errors": [{"message": "no"}]}, dialect="cloudflare_run")

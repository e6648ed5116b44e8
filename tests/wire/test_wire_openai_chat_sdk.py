"""What OpenAI's own client library makes of what is written here."""

import json
from typing import Any

import pytest

from tests.wire.wire_operations import asked, embedded
from tests.wire.wire_types import obeys
from trio_llm.chat import (
    Audio,
    Completion,
    Delta,
    EmbedRequest,
    File,
    Image,
    Message,
    ModerateRequest,
    OutputSchema,
    Part,
    Reasoning,
    ReasoningDelta,
    Request,
    Text,
    TextDelta,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolResult,
    Usage,
)
from trio_llm.wire import DIALECTS, presets

openai: Any = pytest.importorskip("openai")
httpx: Any = pytest.importorskip("httpx2")
types: Any = pytest.importorskip("openai.types")
chat_params: Any = pytest.importorskip("openai.types.chat.completion_create_params")
accumulator: Any = pytest.importorskip("openai.lib.streaming.chat")

OURS = DIALECTS["openai_chat"].adapted(presets.OPENAI)
SCHEMA = {"type": "object", "properties": {"x": {"type": "string"}}}
LOOK = Tool("look", "looks", SCHEMA, strict=True)
TURN: list[Part] = [
    Text("hé"),
    ToolCall("call_a", "look", {"x": "é"}),
    ToolCall("call_b", "look", {}),
]
CONVERSATION = (
    Message("system", "be brief"),
    Message(
        "user",
        [
            Text("what is it?"),
            Image(content=b"\x89PNG", media_type="image/png"),
            Image(url="https://example.org/a.png"),
            Audio(b"\x00", "audio/wav"),
            Audio(b"\x00", "audio/mpeg"),
            File(content=b"%PDF", media_type="application/pdf", name="a.pdf"),
        ],
    ),
    Message("assistant", [Reasoning("hm", {"reasoning_content": "hm"}, "openai_chat"), *TURN]),
    Message("tool", [ToolResult("call_a", "a cat"), ToolResult("call_b", "no", is_error=True)]),
    Message("user", "and?"),
)
REQUESTS = [
    Request(messages="hi"),
    Request(
        messages=CONVERSATION,
        max_tokens=7,
        temperature=0.5,
        top_p=0.25,
        stop=["a", "b"],
        seed=3,
        tools=[LOOK, Tool("wait")],
        tool_choice="look",
        parallel_tool_calls=False,
        user="u",
        metadata={"a": "b"},
    ),
    Request(messages="hi", tools=[LOOK], tool_choice="required"),
    Request(messages="hi", reasoning="high", output=OutputSchema("n", SCHEMA, description="d")),
]


def body_of(request: Request, *, stream: bool = False, model: str = "gpt-5") -> Any:
    """Give the body of a request, read back."""
    return json.loads(OURS.encode(request, model=model, stream=stream).body)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", ["gpt-5", "gpt-4o-mini"])
@pytest.mark.parametrize("request_", REQUESTS)
def test_its_types_take_our_requests(request_: Request, model: str, *, stream: bool) -> None:
    """Every field is one that the SDK knows, and every value of its type."""
    kind = "CompletionCreateParamsStreaming" if stream else "CompletionCreateParamsNonStreaming"
    assert obeys(body_of(request_, stream=stream, model=model), getattr(chat_params, kind))


def test_its_types_would_refuse_another_request() -> None:
    """The check can fail: by an unknown field, a wrong type, a missing one, deep inside too."""
    kind = chat_params.CompletionCreateParamsNonStreaming
    body = body_of(REQUESTS[1])
    assert obeys(body, kind)
    assert not obeys({**body, "random_seed": 1}, kind)
    assert not obeys({**body, "seed": "1"}, kind)
    assert not obeys({**body, "tool_choice": "any"}, kind)
    assert not obeys({name: body[name] for name in body if name != "model"}, kind)
    body["messages"][1]["content"][0]["origin"] = "x"
    assert not obeys(body, kind)


def test_its_types_take_our_operations() -> None:
    """Embeddings with every field, and moderation."""
    request = EmbedRequest(texts=["a"], dimensions=3, user="u")
    body = json.loads(asked(request, quirks=presets.OPENAI).body)
    assert obeys(body, types.EmbeddingCreateParams)
    assert not obeys({**body, "input_type": "query"}, types.EmbeddingCreateParams)
    body = json.loads(asked(ModerateRequest(texts=["a"]), quirks=presets.OPENAI).body)
    assert obeys(body, types.ModerationCreateParams)


def client(body: bytes, status: int = 200, kind: str = "application/json") -> tuple[Any, list[Any]]:
    """Give a client of the SDK that gets this answer, and the requests that it made."""
    seen: list[Any] = []

    def answer(request: Any) -> Any:
        seen.append(request)
        return httpx.Response(status, content=body, headers={"content-type": kind})

    http = httpx.Client(transport=httpx.MockTransport(answer))
    sdk = openai.OpenAI(api_key="k", base_url="http://x/v1", http_client=http, max_retries=0)
    return sdk, seen


def completion(finish: Any = "tool_calls") -> Completion:
    """Give a completion with everything that this form carries."""
    return Completion(
        Message("assistant", [Reasoning("hm", None, "openai_chat"), *TURN]),
        finish,
        usage=Usage(30, 12, 8, 4, 5),
        model="m-1",
        response_id="id-1",
    )


ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def check(read: Any) -> None:
    """Compare what the SDK read with what was written."""
    choice = read.choices[0]
    assert (read.model, choice.finish_reason) == ("m-1", "tool_calls")
    assert choice.message.content == "hé"
    calls = [(call.id, call.function.name) for call in choice.message.tool_calls]
    assert calls == [("call_a", "look"), ("call_b", "look")]
    assert json.loads(choice.message.tool_calls[0].function.arguments) == {"x": "é"}
    usage = read.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (30, 12, 42)
    assert usage.prompt_tokens_details.cached_tokens == 8
    assert usage.completion_tokens_details.reasoning_tokens == 5


def test_it_reads_our_whole_replies() -> None:
    """Strictly, by its own models."""
    body = OURS.encode_reply(completion())
    check(types.chat.ChatCompletion.model_validate_json(body, strict=True))
    sdk, _ = client(body)
    check(sdk.chat.completions.create(**ASK))


def test_it_reads_our_streams() -> None:
    """Chunk by chunk, and put together by its own accumulator."""
    encoder = OURS.encoder("m-1")
    deltas: list[Delta] = [
        ReasoningDelta("hm"),
        TextDelta("h"),
        TextDelta("é"),
        ToolCallDelta(0, "call_a", "look"),
        ToolCallDelta(0, arguments='{"x": '),
        ToolCallDelta(0, arguments='"é"}'),
        ToolCallDelta(1, "call_b", "look", "{}"),
    ]
    body = encoder.start() + b"".join(map(encoder.delta, deltas)) + encoder.finish(completion())
    sdk, _ = client(body, kind="text/event-stream")
    state = accumulator.ChatCompletionStreamState()
    for chunk in sdk.chat.completions.create(**ASK, stream=True):
        types.chat.ChatCompletionChunk.model_validate(chunk.model_dump(), strict=True)
        state.handle_chunk(chunk)
    check(state.get_final_completion())


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, "BadRequestError"),
        (401, "AuthenticationError"),
        (403, "PermissionDeniedError"),
        (404, "NotFoundError"),
        (429, "RateLimitError"),
        (500, "InternalServerError"),
    ],
)
def test_it_reads_our_errors(status: int, error: str) -> None:
    """With their message and their code."""
    sdk, _ = client(OURS.encode_error(status, "the reason", code="a_code"), status)
    with pytest.raises(getattr(openai, error), match="the reason") as caught:
        sdk.chat.completions.create(**ASK)
    assert caught.value.code == "a_code"


def test_it_reads_our_failure_in_the_middle_of_a_stream() -> None:
    """The text before it is given first."""
    encoder = OURS.encoder("m-1")
    body = encoder.start() + encoder.delta(TextDelta("par")) + encoder.fail("it broke")
    sdk, _ = client(body, kind="text/event-stream")
    texts: list[str] = []

    def read() -> None:
        chunks = sdk.chat.completions.create(**ASK, stream=True)
        texts.extend(chunk.choices[0].delta.content or "" for chunk in chunks)

    with pytest.raises(openai.APIError, match="it broke"):
        read()
    assert "".join(texts) == "par"


def test_we_read_its_requests() -> None:
    """What the SDK sends for our own body is read as the request that it was."""
    sdk, seen = client(OURS.encode_reply(completion()))
    for request in REQUESTS:
        outgoing = OURS.encode(request, model="gpt-5", stream=False)
        sdk.chat.completions.create(**json.loads(outgoing.body))
        incoming = OURS.parse(seen[-1].url.path, seen[-1].content)
        assert incoming == OURS.parse(outgoing.path, outgoing.body)
        assert incoming.model == "gpt-5"


def test_we_read_vectors_as_it_does() -> None:
    """It asks for base64 unless it is told otherwise; the numbers are the same."""
    body = {
        "object": "list",
        "model": "m",
        "data": [{"object": "embedding", "index": 0, "embedding": "AAAAP83MzD0AAIC/"}],
        "usage": {"prompt_tokens": 1, "total_tokens": 1},
    }
    sdk, seen = client(json.dumps(body).encode())
    theirs = sdk.embeddings.create(model="m", input=["a"]).data[0].embedding
    assert json.loads(seen[0].content)["encoding_format"] == "base64"
    assert embedded(body, quirks=presets.OPENAI).vectors == (tuple(theirs),)

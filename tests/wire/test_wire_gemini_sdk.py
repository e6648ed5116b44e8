"""Google's own library accepts what we write, and reads what we answer."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from trio_llm.chat import (
    Audio,
    Completion,
    CountRequest,
    Delta,
    EmbedRequest,
    File,
    FinishReason,
    Image,
    ListModels,
    Message,
    OutputSchema,
    Reasoning,
    ReasoningDelta,
    Request,
    ShowModel,
    Text,
    TextDelta,
    Tool,
    ToolCall,
    ToolResult,
    Usage,
)
from trio_llm.wire import DIALECTS
from trio_llm.wire.gemini.names import FAILED, FINISH, FINISH_NUMBERS, FINISH_REASON
from trio_llm.wire.values import as_list, as_object

genai = pytest.importorskip("google.genai")
errors = pytest.importorskip("google.genai.errors")
types = pytest.importorskip("google.genai.types")
httpx = pytest.importorskip("httpx")

GEMINI = DIALECTS["gemini"]
LOOK = Tool("look", "Looks.", {"type": "object", "properties": {"x": {"type": "string"}}})
SIGNATURE = "c2lnbmF0dXJl"
TURN = Message(
    "assistant",
    [
        Reasoning("hm", {"thoughtSignature": SIGNATURE}, "gemini"),
        Text("let me see"),
        Reasoning("", {"nextSignature": SIGNATURE}, "gemini"),
        ToolCall("a", "look", {"x": "é"}),
        ToolCall("b", "look", {}),
    ],
)
CONVERSATION = [
    Message("system", "be brief"),
    Message(
        "user",
        [
            "see \U0001f600",
            Image(content=b"\x89PNG", media_type="image/png"),
            Image(url="https://example.org/a.png"),
            Audio(b"wave"),
            File(content=b"%PDF", media_type="application/pdf"),
        ],
    ),
    TURN,
    Message("tool", [ToolResult("a", "cat"), ToolResult("b", "no", is_error=True)]),
    Message("user", "and?"),
]
SAMPLING: dict[str, Any] = {
    "max_tokens": 9,
    "temperature": 0.5,
    "top_p": 0.5,
    "stop": ("END",),
    "seed": 3,
}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
REQUESTS = [
    Request(messages=CONVERSATION, **SAMPLING, reasoning="high", tools=[LOOK], tool_choice="look"),
    Request(messages=CONVERSATION, reasoning="512", tools=[LOOK], tool_choice="auto"),
    Request(messages=CONVERSATION, reasoning="none", tools=[LOOK], tool_choice="none"),
    Request(messages="x", tools=[LOOK], tool_choice="required"),
    Request(messages="x", output=OutputSchema("a", SCHEMA), reasoning="minimal"),
]
CONFIG = {"systemInstruction", "tools", "toolConfig"}


def sent(request: Request, model: str = "gemini-3-pro") -> dict[str, Any]:
    """Give the body of a request."""
    return as_object(json.loads(GEMINI.encode(request, model=model, stream=False).body))


def strictly(model: Any, value: Any) -> Any:
    """Read a value by a type of the library, which refuses a field that it does not know."""
    assert model.model_config["extra"] == "forbid"
    return model.model_validate(value)


@pytest.mark.parametrize("request_", REQUESTS)
def test_a_request_fits_the_librarys_types(request_: Request) -> None:
    """Every turn, tool and setting is one that the library knows, and none is lost in it."""
    body = sent(request_)
    for turn in body["contents"]:
        read = strictly(types.Content, turn)
        assert read.model_dump(mode="json", by_alias=True, exclude_none=True) == turn
    config = dict(body.get("generationConfig", {}))
    config |= {name: body[name] for name in CONFIG & body.keys()}
    strictly(types.GenerateContentConfig, config)
    assert body.keys() <= {"contents", "generationConfig", *CONFIG}


class Recorder:
    """A transport for the library that keeps the request and gives one answer."""

    def __init__(self, body: bytes, *, status: int = 200, kind: str = "application/json") -> None:
        self.answer = httpx.Response(status, headers={"content-type": kind}, content=body)
        self.requests: list[Any] = []

    def client(self) -> Any:
        """Make a client of the library on this transport."""

        def handle(request: Any) -> Any:
            request.read()
            self.requests.append(request)
            return self.answer

        options = types.HttpOptions(
            api_version="v1beta",
            httpx_client=httpx.Client(transport=httpx.MockTransport(handle)),
        )
        return genai.Client(api_key="key", vertexai=False, http_options=options)

    @property
    def path(self) -> str:
        """The path of the only request, without the version."""
        (request,) = self.requests
        return str(request.url.raw_path.decode().removeprefix("/v1beta"))

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the only request."""
        (request,) = self.requests
        found: Mapping[str, str] = request.headers
        return found

    @property
    def body(self) -> Any:
        """The body of the only request."""
        (request,) = self.requests
        return json.loads(request.content)


MESSAGE = Message(
    "assistant",
    [
        Reasoning("hm", {"thoughtSignature": SIGNATURE}, "gemini"),
        Text("hé"),
        Reasoning("", {"nextSignature": SIGNATURE}, "gemini"),
        ToolCall("a", "look", {"x": "é"}),
    ],
)
USAGE = Usage(30, 12, 8, 0, 5)


def answer(finish: FinishReason = "tool_calls") -> bytes:
    """Write a reply with everything in it."""
    return GEMINI.encode_reply(Completion(MESSAGE, finish, usage=USAGE, model="m", response_id="r"))


@pytest.mark.parametrize("request_", REQUESTS)
def test_the_library_sends_what_we_send(request_: Request) -> None:
    """Given our conversation and settings, its request is ours: path, key and body."""
    body = sent(request_)
    config = dict(body.get("generationConfig", {}))
    config |= {name: body[name] for name in CONFIG & body.keys()}
    recorder = Recorder(answer())
    recorder.client().models.generate_content(
        model="gemini-3-pro",
        contents=[types.Content.model_validate(turn) for turn in body["contents"]],
        config=types.GenerateContentConfig.model_validate(config),
    )
    assert recorder.path == GEMINI.encode(request_, model="gemini-3-pro", stream=False).path
    assert recorder.headers["x-goog-api-key"] == GEMINI.authenticate("key")["x-goog-api-key"]
    theirs = recorder.body
    theirs.get("systemInstruction", {}).pop("role", None)
    if not theirs.get("generationConfig"):
        theirs.pop("generationConfig", None)
    assert plain(theirs) == plain(body)


def plain(value: Any) -> Any:
    """Write field names and base64 in one of the two ways that the provider takes."""
    if type(value) is dict:
        fields = as_object(value).items()
        return {re.sub(r"_([a-z])", up, name): plain(item) for name, item in fields}
    if type(value) is list:
        return [plain(item) for item in as_list(value)]
    return value.rstrip("=").replace("-", "+").replace("_", "/") if type(value) is str else value


def up(found: re.Match[str]) -> str:
    """Give the letter after an underscore as a capital."""
    return found[1].upper()


def test_the_library_reads_our_reply() -> None:
    """Text, thought, call, signature, finish, counts and identifiers are where it looks."""
    recorder = Recorder(answer())
    reply = recorder.client().models.generate_content(model="m", contents="hi")
    (candidate,) = reply.candidates
    parts = candidate.content.parts
    assert (parts[0].text, parts[0].thought, parts[0].thought_signature) == (
        "hm",
        True,
        b"signature",
    )
    assert parts[1].text == reply.text == "hé"
    assert parts[2].thought_signature == b"signature"
    (call,) = reply.function_calls
    assert (call.id, call.name, call.args) == ("a", "look", {"x": "é"})
    assert candidate.finish_reason is types.FinishReason.STOP
    counts = reply.usage_metadata
    assert (counts.prompt_token_count, counts.cached_content_token_count) == (30, 8)
    assert (counts.candidates_token_count, counts.thoughts_token_count) == (7, 5)
    assert counts.total_token_count == 42
    assert (reply.model_version, reply.response_id) == ("m", "r")


@pytest.mark.parametrize("finish", ["stop", "length", "content_filter", "unknown"])
def test_the_library_knows_our_finish_reasons(finish: FinishReason) -> None:
    """Each is one of its own words."""
    reply = types.GenerateContentResponse.model_validate_json(answer(finish))
    assert reply.candidates[0].finish_reason in set(types.FinishReason)
    assert reply.candidates[0].finish_reason.value in types.FinishReason.__members__


def test_the_library_reads_our_stream() -> None:
    """Piece by piece, the thoughts apart, the call and the counts in the end."""
    encoder = GEMINI.encoder("m")
    deltas: list[Delta] = [ReasoningDelta("hm"), TextDelta("h"), TextDelta("é")]
    body = encoder.start() + b"".join(encoder.delta(delta) for delta in deltas)
    body += encoder.finish(Completion(MESSAGE, "tool_calls", usage=USAGE, model="m"))
    recorder = Recorder(body, kind="text/event-stream")
    chunks = list(recorder.client().models.generate_content_stream(model="m", contents="hi"))
    assert recorder.path == GEMINI.encode(Request(messages="hi"), model="m", stream=True).path
    parts = [part for chunk in chunks for part in chunk.candidates[0].content.parts]
    assert "".join(part.text for part in parts if part.text and not part.thought) == "hé"
    assert "".join(part.text for part in parts if part.text and part.thought) == "hm"
    assert [part.function_call.name for part in parts if part.function_call] == ["look"]
    assert chunks[-1].candidates[0].finish_reason is types.FinishReason.STOP
    assert chunks[-1].usage_metadata.total_token_count == 42


def test_the_library_reads_our_errors() -> None:
    """Its error has our status, state and sentence."""
    recorder = Recorder(GEMINI.encode_error(404, "no such model"), status=404)
    with pytest.raises(errors.ClientError) as caught:
        recorder.client().models.generate_content(model="m", contents="hi")
    error: Any = caught.value
    assert (error.code, error.status, error.message) == (404, "NOT_FOUND", "no such model")


def test_the_library_embeds_as_we_do() -> None:
    """The same batch, for the same model, dimensions and purpose."""
    operation = EmbedRequest(texts=["a", "b"], dimensions=8, purpose="query")
    outgoing = GEMINI.operations[EmbedRequest].encode(operation, model="gemini-embedding-001")
    recorder = Recorder(b'{"embeddings": [{"values": [1.0]}, {"values": [2.0]}]}')
    recorder.client().models.embed_content(
        model="gemini-embedding-001",
        contents=["a", "b"],
        config=types.EmbedContentConfig(output_dimensionality=8, task_type="RETRIEVAL_QUERY"),
    )
    assert recorder.path == outgoing.path
    theirs = recorder.body
    for item in theirs["requests"]:
        item["content"].pop("role", None)
    assert theirs == json.loads(outgoing.body)


def test_the_library_counts_and_lists_where_we_do() -> None:
    """The same method and path for tokens, for all models and for one."""
    counted = CountRequest(request=Request(messages="hi"))
    recorder = Recorder(b'{"totalTokens": 3}')
    recorder.client().models.count_tokens(model="m", contents="hi")
    assert recorder.path == GEMINI.operations[CountRequest].encode(counted, model="m").path
    recorder = Recorder(b'{"models": [{"name": "models/m"}]}')
    list(recorder.client().models.list(config={"page_size": 1000}))
    listed = GEMINI.operations[ListModels].encode(ListModels(), model="")
    assert recorder.path.partition("?")[0] == listed.path.partition("?")[0]
    assert "pageSize=1000" in recorder.path
    recorder = Recorder(b'{"name": "models/m"}')
    recorder.client().models.get(model="m")
    shown = GEMINI.operations[ShowModel].encode(ShowModel(model="m"), model="m")
    assert recorder.path == shown.path


def test_our_finish_reasons_are_the_librarys() -> None:
    """No word of ours is unknown to it."""
    known = set(types.FinishReason.__members__)
    assert {*FINISH, *FAILED, *FINISH_REASON.values(), *FINISH_NUMBERS} <= known

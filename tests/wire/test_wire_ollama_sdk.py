"""What the official Ollama client makes of what is written here."""

import json
from typing import Any

import pytest

from trio_llm.chat import (
    Completion,
    DeleteModel,
    Delta,
    EmbedRequest,
    Image,
    ListModels,
    Message,
    OutputSchema,
    PullModel,
    PullProgress,
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
from trio_llm.wire.values import as_list, as_object

models: Any = pytest.importorskip("ollama._types")

OURS = DIALECTS["ollama"]
TOOL = Tool("look", "looks", {"type": "object", "properties": {"x": {"type": "integer"}}})
PNG = b"\x89PNG\r\n\x1a\n0000"
CONVERSATION = (
    Message("system", "be brief"),
    Message("user", [Text("what?"), Image(content=PNG, media_type="image/png")]),
    Message(
        "assistant", [Reasoning("hm", None, "ollama"), Text("so"), ToolCall("c", "look", {"x": 1})]
    ),
    Message("tool", ToolResult("c", "a cat", name="look")),
)
REQUESTS = [
    Request(messages="hi"),
    Request(messages=CONVERSATION, tools=[TOOL], max_tokens=5, seed=1, stop=["a"], top_p=0.5),
    Request(messages="hi", reasoning="high", output=OutputSchema("n", TOOL.parameters)),
    Request(messages="hi", reasoning="none", extra={"ollama": {"keep_alive": "5m"}}),
]


def without_nothing(value: Any) -> Any:
    """Give a value without the fields that say nothing."""
    if type(value) is dict:
        fields = as_object(value).items()
        return {name: without_nothing(item) for name, item in fields if item is not None}
    return [without_nothing(item) for item in as_list(value)] if type(value) is list else value


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("request_", REQUESTS)
def test_its_types_take_our_requests(request_: Request, *, stream: bool) -> None:
    """Every field but a call's identifiers is one of its own, and nothing is changed by it."""
    body = json.loads(OURS.encode(request_, model="m", stream=stream).body)
    checked = models.ChatRequest.model_validate(body)
    assert without_nothing(json.loads(checked.model_dump_json(by_alias=True))) == body
    for message in body["messages"]:
        # As part of a request a message may be any mapping; this is its own type.
        images = [models.Image(value=text) for text in message.get("images", [])]
        typed = models.Message.model_validate({**message, "images": images or None})
        known = json.loads(typed.model_dump_json())
        # The server matches by them, the client does not know them yet.
        message.pop("tool_call_id", None)
        for call in message.get("tool_calls", []):
            del call["id"]
        assert without_nothing(known) == message


@pytest.mark.parametrize(
    ("name", "operation"),
    [
        ("EmbedRequest", EmbedRequest(texts=("a", "b"), dimensions=3)),
        ("ShowRequest", ShowModel(model="m")),
        ("PullRequest", PullModel(model="m")),
        ("DeleteRequest", DeleteModel(model="m")),
    ],
)
def test_its_types_take_our_operations(name: str, operation: Any) -> None:
    """Each body is one of its own requests."""
    body = json.loads(OURS.operations[type(operation)].encode(operation, model="m").body)
    checked = getattr(models, name).model_validate(body)
    assert without_nothing(json.loads(checked.model_dump_json())) == body


WRITTEN = Completion(
    Message(
        "assistant", [Reasoning("hm", None, "ollama"), Text("so"), ToolCall("c", "f", {"x": 1})]
    ),
    "tool_calls",
    usage=Usage(30, 12),
    model="m",
)


def test_it_reads_our_replies() -> None:
    """Text, thinking, calls and counts are where it looks for them."""
    reply = models.ChatResponse.model_validate_json(OURS.encode_reply(WRITTEN))
    assert (reply.message.content, reply.message.thinking) == ("so", "hm")
    assert reply.message.tool_calls[0].function.arguments == {"x": 1}
    assert (reply.done, reply.done_reason) == (True, "stop")
    assert (reply.prompt_eval_count, reply.eval_count) == (30, 12)


def test_it_reads_our_streams() -> None:
    """Every line is one of its own responses, and only the last one is done."""
    deltas: list[Delta] = [ReasoningDelta("hm"), TextDelta("s"), TextDelta("o")]
    encoder = OURS.encoder("m")
    body = encoder.start() + b"".join([encoder.delta(delta) for delta in deltas])
    body += encoder.finish(WRITTEN)
    lines = [models.ChatResponse.model_validate_json(line) for line in body.splitlines()]
    assert "".join([line.message.content or "" for line in lines]) == "so"
    assert "".join([line.message.thinking or "" for line in lines]) == "hm"
    assert [call.function.name for line in lines for call in line.message.tool_calls or ()] == ["f"]
    assert [line.done for line in lines] == [False] * (len(lines) - 1) + [True]


def test_its_own_answers_are_read_here() -> None:
    """What its types write is what is read: vectors, models, descriptions, progress."""
    embedded = models.EmbedResponse(embeddings=[[1.0, 2.0]], prompt_eval_count=3)
    asked = EmbedRequest(texts="a")
    result: Any = OURS.operations[EmbedRequest].decode(embedded.model_dump_json().encode(), asked)
    assert (result.vectors, result.usage) == (((1.0, 2.0),), Usage(3))
    details = models.ModelDetails(family="llama")
    entry = models.ListResponse.Model(model="m", size=5, details=details, digest="d")
    listed = models.ListResponse(models=[entry]).model_dump_json().encode()
    result = OURS.operations[ListModels].decode(listed, ListModels())
    assert (result.models[0].id, result.models[0].size) == ("m", 5)
    shown = models.ShowResponse(
        details=details,
        model_info={"general.architecture": "llama", "llama.context_length": 9},
        capabilities=["embedding"],
    )
    result = OURS.operations[ShowModel].decode(
        shown.model_dump_json(by_alias=True).encode(), ShowModel(model="m")
    )
    assert result.models[0].context_window == 9
    progress = models.ProgressResponse(status="pulling", digest="d", total=4, completed=2)
    decoder = OURS.operations[PullModel].decoder(PullModel(model="m"))
    assert decoder is not None
    line = progress.model_dump_json().encode() + b"\n"
    assert decoder.feed(line) == [PullProgress("pulling", "d", 4, 2)]

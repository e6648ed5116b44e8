"""Perplexity: CRLF, no marker, everything twice, vectors in signed bytes."""

import base64
import json
from decimal import Decimal
from typing import Any

from tests.wire.wire_chat import refused, sent, stream
from tests.wire.wire_operations import asked, embedded, listed
from trio_llm.chat import (
    EmbedRequest,
    ListModels,
    Message,
    Price,
    Request,
    TextDelta,
    Tool,
    Usage,
)
from trio_llm.errors import ContextLengthError
from trio_llm.wire import DIALECTS
from trio_llm.wire.presets import PERPLEXITY


def line(delta: str, so_far: str, output: int, finish: str | None = None) -> bytes:
    """Write a chunk the way it does: the delta, the whole so far, and usage."""
    choice: dict[str, Any] = {
        "index": 0,
        "delta": {"role": "assistant", "content": delta},
        "message": {"role": "assistant", "content": so_far},
        "finish_reason": finish,
    }
    counts = {
        "prompt_tokens": 7,
        "completion_tokens": output,
        "total_tokens": 7 + output,
        "cost": {"total_cost": 0.005},
        "search_context_size": "low",
    }
    body = {"id": "p", "model": "sonar", "choices": [choice], "usage": counts, "citations": ["u"]}
    return b"data: " + json.dumps(body).encode() + b"\r\n\r\n"


def test_perplexity_ends_lines_with_crlf_and_sends_no_marker() -> None:
    """Its last chunk with a finish reason is the end."""
    deltas, completion = stream(line("a", "a", 1), line("b", "ab", 2), line("", "ab", 2, "stop"))
    assert deltas == [TextDelta("a"), TextDelta("b")]
    assert completion.finish_reason == "stop"


def test_perplexity_repeats_the_message_in_every_chunk() -> None:
    """Only the delta counts, so that nothing is read twice."""
    assert stream(line("a", "a", 1), line("b", "ab", 2, "stop"))[1].message.text == "ab"


def test_perplexity_gives_usage_in_every_chunk() -> None:
    """The last one counts, and no sum is made; it need not be asked for."""
    completion = stream(line("a", "a", 1), line("b", "ab", 2, "stop"))[1]
    assert completion.usage == Usage(7, 2)
    assert "stream_options" not in sent(quirks=PERPLEXITY, stream=True)


def test_perplexity_finds_all_messages_too_long() -> None:
    """Its wording for a full context."""
    message = "The total length of all messages is too long."
    body = {"error": {"message": message, "type": "too_many_prompt_tokens", "code": 400}}
    assert isinstance(refused(400, body), ContextLengthError)


def test_perplexity_gives_vectors_in_signed_bytes() -> None:
    """It is asked for that form by its name, and it is read as such."""
    request = EmbedRequest(texts="a", dimensions=4)
    body = json.loads(asked(request, quirks=PERPLEXITY).body)
    assert (body["encoding_format"], body["dimensions"]) == ("base64_int8", 4)
    vector = base64.b64encode(bytes([255, 0, 1, 127])).decode()
    counts = {"prompt_tokens": 1, "total_tokens": 1, "cost": {"total_cost": 4e-9}}
    answer = {"data": [{"index": 0, "embedding": vector}], "usage": counts}
    result = embedded(answer, quirks=PERPLEXITY, dimensions=4)
    assert result.vectors == ((-1.0, 0.0, 1.0, 127.0),)


def test_perplexity_lists_prices_for_a_million() -> None:
    """Among them those of its cache."""
    pricing = {"input": 10, "output": 50, "cache_write": 12.5, "cache_read": 1}
    body = {"data": [{"id": "a", "pricing": {**pricing, "unit": "usd_per_1m_tokens"}}]}
    (model,) = listed(ListModels(), body, quirks=PERPLEXITY)
    assert model.price == Price(Decimal(10), Decimal(50), Decimal(1), Decimal("12.5"))


def test_perplexity_is_sent_no_field_that_its_sdk_does_not_know() -> None:
    """Its Responses take what the request of its SDK has, and refuse what they do not know."""
    dialect = DIALECTS["openai_responses"].adapted(PERPLEXITY)
    request = Request(
        messages=(Message("system", "Be brief."), Message("user", "hello")),
        max_tokens=9,
        temperature=0.5,
        top_p=0.9,
        reasoning="low",
        user="someone",
        metadata={"a": "b"},
        tools=(Tool("f", "does", {"type": "object"}),),
        tool_choice="required",
        parallel_tool_calls=False,
    )
    for model in ("perplexity/sonar", "openai/gpt-5.5"):
        outgoing = dialect.encode(request, model=model, stream=True)
        assert outgoing.path == "/responses"
        assert set(json.loads(outgoing.body)) == {
            "model",
            "input",
            "instructions",
            "max_output_tokens",
            "temperature",
            "top_p",
            "reasoning",
            "tools",
            "tool_choice",
            "store",
            "stream",
        }

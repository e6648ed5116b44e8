"""Token counts mean the same whoever counted: input with its cache, output with its reasoning."""

import json
import re
from typing import Any

import pytest

from trio_llm.chat import Completion, Message, Request, TextDelta, Usage
from trio_llm.providers.estimate import Calibration
from trio_llm.wire import DIALECTS

CHAT: dict[str, Any] = {
    "choices": [{"message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}]
}
RESPONSE: dict[str, Any] = {
    "object": "response",
    "status": "completed",
    "output": [
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "hi", "annotations": []}],
        }
    ],
}
CANDIDATE: dict[str, Any] = {
    "content": {"role": "model", "parts": [{"text": "hi"}]},
    "finishReason": "STOP",
}

TRAPS: list[tuple[str, dict[str, Any], Usage]] = [
    (
        "openai_chat",
        # OpenAI: the cache is part of the input, reasoning of the output.
        CHAT
        | {
            "usage": {
                "prompt_tokens": 100,
                "completion_tokens": 50,
                "total_tokens": 150,
                "prompt_tokens_details": {"cached_tokens": 30},
                "completion_tokens_details": {"reasoning_tokens": 20},
            }
        },
        Usage(100, 50, cached_tokens=30, reasoning_tokens=20),
    ),
    (
        "openai_chat",
        # xAI: reasoning is only in the total.
        CHAT
        | {
            "usage": {
                "prompt_tokens": 100,
                "completion_tokens": 30,
                "total_tokens": 150,
                "completion_tokens_details": {"reasoning_tokens": 20},
            }
        },
        Usage(100, 50, reasoning_tokens=20),
    ),
    (
        "openai_responses",
        RESPONSE
        | {
            "usage": {
                "input_tokens": 100,
                "input_tokens_details": {"cached_tokens": 30},
                "output_tokens": 50,
                "output_tokens_details": {"reasoning_tokens": 20},
                "total_tokens": 150,
            }
        },
        Usage(100, 50, cached_tokens=30, reasoning_tokens=20),
    ),
    (
        "anthropic",
        # The cache, read and written, comes on top of the input.
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "text", "text": "hi"}],
            "stop_reason": "end_turn",
            "usage": {
                "input_tokens": 60,
                "cache_read_input_tokens": 30,
                "cache_creation_input_tokens": 10,
                "output_tokens": 50,
                "output_tokens_details": {"thinking_tokens": 20},
            },
        },
        Usage(100, 50, cached_tokens=30, cache_write_tokens=10, reasoning_tokens=20),
    ),
    (
        "gemini",
        # Thoughts come on top of the candidates; the cache is part of the prompt.
        {
            "candidates": [CANDIDATE],
            "usageMetadata": {
                "promptTokenCount": 100,
                "cachedContentTokenCount": 30,
                "candidatesTokenCount": 30,
                "thoughtsTokenCount": 20,
                "totalTokenCount": 150,
            },
        },
        Usage(100, 50, cached_tokens=30, reasoning_tokens=20),
    ),
    (
        "cohere",
        # What is billed is less than what was read.
        {
            "id": "1",
            "message": {"role": "assistant", "content": [{"type": "text", "text": "hi"}]},
            "finish_reason": "COMPLETE",
            "usage": {
                "billed_units": {"input_tokens": 7, "output_tokens": 5},
                "tokens": {"input_tokens": 100, "output_tokens": 50},
                "cached_tokens": 30,
            },
        },
        Usage(100, 50, cached_tokens=30),
    ),
    (
        "ollama",
        {
            "model": "m",
            "message": {"role": "assistant", "content": "hi"},
            "done": True,
            "done_reason": "stop",
            "prompt_eval_count": 100,
            "eval_count": 50,
        },
        Usage(100, 50),
    ),
]


@pytest.mark.parametrize(("dialect", "body", "usage"), TRAPS)
def test_counts_mean_the_same(dialect: str, body: dict[str, Any], usage: Usage) -> None:
    """Whatever a provider leaves out of a count, or adds to it, is made up for."""
    assert DIALECTS[dialect].decode(json.dumps(body).encode()).usage == usage


FULL = Usage(100, 50, cached_tokens=30, cache_write_tokens=10, reasoning_tokens=20)
CARRIED: dict[str, Usage] = {
    "ollama": Usage(100, 50),
    "cohere": Usage(100, 50, cached_tokens=30, reasoning_tokens=20),
    "gemini": Usage(100, 50, cached_tokens=30, reasoning_tokens=20),
}
"""What a dialect has no field for is missing at the other end; the sums stay."""


@pytest.mark.parametrize("name", DIALECTS)
def test_the_servers_side_counts_alike(name: str) -> None:
    """What the server's side writes, whole or streamed, the client's side reads."""
    dialect = DIALECTS[name]
    completion = Completion(Message("assistant", "hi"), "stop", usage=FULL, model="m")
    expected = CARRIED.get(name, FULL)
    assert dialect.decode(dialect.encode_reply(completion)).usage == expected
    encoder, decoder = dialect.encoder("m"), dialect.decoder()
    decoder.feed(encoder.start() + encoder.delta(TextDelta("hi")) + encoder.finish(completion))
    assert decoder.close().usage == expected


@pytest.mark.parametrize(("dialect", "body", "usage"), TRAPS)
@pytest.mark.parametrize("figure", ["1" + "0" * 400, "1e308", "-5", "1e400", "0.5", '"many"'])
def test_absurd_counts_are_none(
    dialect: str, body: dict[str, Any], usage: Usage, figure: str
) -> None:
    """A count that is none, or that no float holds, is read as if it were missing."""
    del usage
    absurd = re.sub(r'((?:[cC]ount|_tokens)": )\d+', rf"\g<1>{figure}", json.dumps(body))
    assert absurd.count(figure) >= 2
    read = DIALECTS[dialect].decode(absurd.encode()).usage
    assert read in (None, Usage())


def test_the_largest_count_that_is_believed_can_be_learnt_from() -> None:
    """The estimate of tokens divides by counts, and multiplies with them, as floats."""
    reply = CHAT | {"usage": {"prompt_tokens": 2**53, "completion_tokens": 2**53 + 2}}
    usage = DIALECTS["openai_chat"].decode(json.dumps(reply).encode()).usage
    assert usage is not None
    assert usage == Usage(2**53, 0)
    calibration, request = Calibration(), Request(messages="hi")
    for _ in range(3):
        calibration.learn(request, usage.input_tokens)
    assert calibration.estimate(request).tokens > 1

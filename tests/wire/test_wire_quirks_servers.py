"""Servers that one runs oneself: llama.cpp, vLLM, transformers, Ollama's copy and others."""

from typing import Any

import pytest

from tests.wire.wire_chat import DONE, OPENAI, call, chunk, event, refused, sent, stream, usage_of
from tests.wire.wire_operations import embedded, listed
from trio_llm.chat import Capability, ListModels, TextDelta, Usage
from trio_llm.errors import (
    AuthenticationError,
    ContextLengthError,
    InvalidRequestError,
    MalformedResponseError,
    ProviderError,
    ServerError,
    StreamInterruptedError,
    UnsupportedError,
)
from trio_llm.wire.presets import LLAMACPP, LMSTUDIO, VLLM

COUNTS = {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6}


def test_llamacpp_begins_with_null_content_and_ends_with_timings() -> None:
    """Neither is text, and usage comes last if it was asked for."""
    last = event({"choices": [], "usage": COUNTS, "timings": {"predicted_ms": 3.0}})
    deltas, completion = stream(
        chunk({"role": "assistant", "content": None}),
        chunk({"content": "a"}),
        chunk(finish="stop", timings={"predicted_ms": 3.0}),
        last,
        DONE,
    )
    assert deltas == [TextDelta("a")]
    assert completion.usage == Usage(4, 2)


def test_llamacpp_gives_pieces_of_characters() -> None:
    """The replacement character is text like any other."""
    pieces = [chunk({"content": "\ufffd"}), chunk({"content": "\ufffd"}, "length"), DONE]
    assert stream(*pieces)[1].message.text == "\ufffd\ufffd"


def test_llamacpp_has_errors_in_the_middle_of_a_stream() -> None:
    """Older servers write ``error:`` where events have ``data:``."""
    frame = b'error: {"code":500,"message":"slot is gone","type":"server_error"}\n\n'
    with pytest.raises(ServerError, match="slot is gone"):
        stream(chunk({"content": "a"}), frame, b"")


def test_llamacpp_finds_its_context_too_small() -> None:
    """It has a type of its own for that."""
    error = {
        "code": 400,
        "message": "the request exceeds the available context size",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": 9000,
        "n_ctx": 2048,
    }
    assert isinstance(refused(400, {"error": error}), ContextLengthError)


@pytest.mark.parametrize(
    ("message", "cls"),
    [
        ("image input is not supported - hint: you may need the mmproj", UnsupportedError),
        ("audio input is not supported - hint: you may need the mmproj", UnsupportedError),
        (
            "Failed to parse tool call arguments as JSON: [json.exception.parse_error.101]",
            InvalidRequestError,
        ),
        (
            "input (16386 tokens) is too large to process. increase the physical batch size",
            ContextLengthError,
        ),
        ("slot is gone", ServerError),
    ],
)
def test_llamacpp_calls_what_it_cannot_take_a_failure_of_its_own(
    message: str, cls: type[ProviderError]
) -> None:
    """What it cannot take is 500 there, which says nothing about its health."""
    error = {"code": 500, "message": message, "type": "server_error"}
    assert type(refused(500, {"error": error})) is cls


def test_llamacpp_lists_the_window_that_it_was_started_with() -> None:
    """Not the one that the model was trained for."""
    entry = {
        "id": "tiny.gguf",
        "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]},
        "meta": {"n_ctx": 2048, "n_ctx_train": 8192, "size": 499_456},
    }
    body = {"models": [{"name": "tiny.gguf"}], "data": [entry]}
    (model,) = listed(ListModels(), body, quirks=LLAMACPP)
    assert (model.id, model.context_window, model.size) == ("tiny.gguf", 2048, 499_456)
    assert model.capabilities == frozenset({Capability.CHAT, Capability.TEXT_GENERATION})


def test_llamacpp_gives_a_vector_for_each_token_when_it_does_not_pool() -> None:
    """Those are no vectors of texts, and the error says what to do."""
    body = [{"index": 0, "embedding": [[1.0], [2.0]]}]
    with pytest.raises(MalformedResponseError, match="let the server pool them"):
        embedded(body, quirks=LLAMACPP)


@pytest.mark.parametrize(
    ("status", "body", "cls"),
    [
        (401, {"error": "Unauthorized"}, AuthenticationError),
        (404, {"detail": "Not Found"}, InvalidRequestError),
        (
            400,
            {"error": {"message": "stop: at most 4", "type": "BadRequestError", "code": 400}},
            InvalidRequestError,
        ),
        (
            400,
            {"error": {"message": "This model's maximum context length is 2048", "code": 400}},
            ContextLengthError,
        ),
    ],
)
def test_vllm_errors_have_their_classes(
    status: int, body: dict[str, Any], cls: type[ProviderError]
) -> None:
    """A string, a framework's detail, and an object with a number for its code."""
    assert type(refused(status, body)) is cls


def test_vllm_reasons_in_a_field_of_its_own() -> None:
    """And is sent the limit's older name, which every version knows."""
    assert stream(chunk({"reasoning": "hm"}), chunk(finish="stop"))[1].message.reasoning == "hm"
    assert sent(quirks=VLLM, model="openai/gpt-5", max_tokens=3)["max_tokens"] == 3


def test_vllm_lists_the_length_of_its_model() -> None:
    """In a field of its own."""
    body = {"data": [{"id": "tiny", "max_model_len": 2048, "root": "/srv/tiny"}]}
    assert listed(ListModels(), body, quirks=VLLM)[0].context_window == 2048


def test_transformers_sends_no_marker_and_no_content_at_both_ends() -> None:
    """Its last chunk has the finish reason and, unasked, the usage."""
    deltas, completion = stream(
        chunk({"role": "assistant"}), chunk({"content": "a"}), chunk({}, "stop", usage=COUNTS)
    )
    assert deltas == [TextDelta("a")]
    assert completion.usage == Usage(4, 2)


def test_transformers_fails_in_plain_text() -> None:
    """Five hundred and three words."""
    error = refused(500, b"Internal Server Error", {"content-type": "text/plain"})
    assert type(error) is ServerError
    assert "Internal Server Error" in error.message


def test_llama_cpp_python_answers_an_overflow_with_an_empty_stream() -> None:
    """A 200 without a byte is no reply."""
    with pytest.raises(MalformedResponseError, match="nothing"):
        stream(b"")
    with pytest.raises(MalformedResponseError):
        OPENAI.decode(b"")


@pytest.mark.parametrize(
    ("status", "body", "cls"),
    [
        (401, {"detail": "Invalid API key"}, AuthenticationError),
        (500, {"error": {"message": "[{'loc': ('body',)}]", "type": "internal"}}, ServerError),
    ],
)
def test_llama_cpp_python_errors_have_their_classes(
    status: int, body: dict[str, Any], cls: type[ProviderError]
) -> None:
    """What it finds invalid is 500 there, which cannot be told from a failure."""
    assert type(refused(status, body)) is cls


def test_llama_cpp_python_says_every_call_twice() -> None:
    """The older form beside the newer one is the same call."""
    both = {**call("{}", index=0, id="a", name="f"), "function_call": {"name": "f"}}
    _, completion = stream(chunk(both), chunk(finish="tool_calls"), DONE)
    assert len(completion.message.tool_calls) == 1


def test_gpustack_sends_no_marker() -> None:
    """The finish reason is the end; without it the stream was cut."""
    assert stream(chunk({"content": "a"}), chunk(finish="stop"))[1].finish_reason == "stop"
    with pytest.raises(StreamInterruptedError):
        stream(chunk({"content": "a"}))


def test_ollamas_copy_reasons_in_a_field_of_its_own() -> None:
    """And gives usage in a last chunk without choices, if asked."""
    last = event({"choices": [], "usage": COUNTS})
    assert usage_of(chunk({"content": "", "reasoning": "hm"}), chunk(finish="stop"), last) == (
        Usage(4, 2)
    )


def test_lmstudio_is_sent_no_labels() -> None:
    """A local server has no use for them."""
    body = sent(quirks=LMSTUDIO, user="u", metadata={"a": "b"}, max_tokens=3)
    assert body.keys() == {"model", "messages", "max_tokens"}


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
@pytest.mark.parametrize("lead", [b"data: ", b"data:"])
def test_every_server_frames_its_events_in_its_own_way(lead: bytes, end: bytes) -> None:
    """With or without a space, and with any of the three ends of lines."""
    body = lead + b'{"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}' + end
    assert stream(body)[1].message.text == "a"

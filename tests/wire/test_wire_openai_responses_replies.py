"""What servers of the Responses interface answer, whole, and how they fail."""

from typing import Any

import pytest

from tests.wire.wire_responses import (
    DONE,
    NAME,
    RESPONSES,
    called,
    decode,
    event,
    framed,
    read,
    said,
    text,
)
from trio_llm.chat import (
    Message,
    Reasoning,
    Text,
    TextDelta,
    ToolCall,
    Usage,
)
from trio_llm.errors import (
    AuthenticationError,
    ContentFilterError,
    ContextLengthError,
    InvalidRequestError,
    MalformedResponseError,
    ModelNotFoundError,
    OverloadedError,
    ProviderError,
    ProviderTimeoutError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
)


def test_a_reply_with_everything() -> None:
    """Items become parts in their order; what the provider's own tools did is passed over."""
    reply = decode(
        {
            "type": "reasoning",
            "id": "rs_1",
            "status": "completed",
            "summary": [
                {"type": "summary_text", "text": "First."},
                {"type": "summary_text", "text": "Then."},
            ],
            "content": [{"type": "reasoning_text", "text": "hm"}],
            "encrypted_content": "e",
        },
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {}},
        said("a", "b", phase="final_answer"),
        called('{"x": 1}'),
        id="resp_1",
        model="gpt",
        usage={
            "input_tokens": 9,
            "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
            "output_tokens": 5,
            "output_tokens_details": {"reasoning_tokens": 3},
            "total_tokens": 14,
        },
    )
    thought, phase, *rest = reply.message.content
    assert isinstance(thought, Reasoning)
    assert (thought.text, thought.origin) == ("First.\n\nThen.\n\nhm", NAME)
    assert thought.opaque is not None
    assert set(thought.opaque) == {"id", "summary", "content", "encrypted_content"}
    assert phase == Reasoning("", {"phase": "final_answer"}, NAME)
    assert rest == [Text("ab"), ToolCall("c1", "f", {"x": 1}, '{"x": 1}')]
    assert reply.usage == Usage(9, 5, 4, 2, 3)
    assert (reply.response_id, reply.model) == ("resp_1", "gpt")
    assert (reply.finish_reason, reply.raw_finish) == ("tool_calls", "completed")


def test_reasoning_of_which_nothing_can_be_used_is_no_part() -> None:
    """A bare identifier is of no use to a server that keeps nothing."""
    reply = decode({"type": "reasoning", "id": "rs_1", "summary": []}, said("x"))
    assert reply.message == Message("assistant", "x")
    summary = [{"type": "summary_text", "text": "hm"}]
    reply = decode({"type": "reasoning", "id": "rs_1", "summary": summary}, said("x"))
    assert reply.message.content[0] == Reasoning("hm", None, NAME)


@pytest.mark.parametrize(
    ("fields", "finish"),
    [
        ({}, "stop"),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length"),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_messages"}}, "length"),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            "content_filter",
        ),
        ({"status": "incomplete", "incomplete_details": {"reason": "steered"}}, "unknown"),
        ({"status": "incomplete"}, "unknown"),
        ({"status": None}, "unknown"),
    ],
)
def test_finish_reasons(fields: dict[str, Any], finish: str) -> None:
    """The status and the reason of an incomplete reply are told in this library's words."""
    assert decode(said("x"), **fields).finish_reason == finish
    _, reply = read(text("x"), {**DONE, "response": fields})
    # The name of the terminal event stands in for a status.
    same = "stop" if fields == {"status": None} else finish
    assert reply.finish_reason == same


def test_calls_of_a_reply_that_was_cut_do_not_hide_it() -> None:
    """The arguments of the last call may be cut: the finish reason is the length."""
    reply = decode(
        called('{"x'), status="incomplete", incomplete_details={"reason": "max_messages"}
    )
    assert reply.finish_reason == "length"
    assert not reply.message.tool_calls[0].is_valid


def test_a_refusal_is_a_content_filter() -> None:
    """Whole and streamed, it is no text of the answer."""
    refused = {"type": "message", "content": [{"type": "refusal", "refusal": "no"}]}
    for reply in (
        decode(refused),
        read(event("refusal.delta", delta="no", output_index=0), DONE)[1],
        read(event("output_item.done", output_index=0, item=refused), DONE)[1],
    ):
        assert (reply.finish_reason, reply.message.text) == ("content_filter", "")


def test_arguments_may_be_an_object_and_an_identifier_may_be_missing() -> None:
    """Servers that speak the interface loosely are understood."""
    reply = decode(called({"x": 1}, call_id=None), called("{}", call_id=None))
    first, second = reply.message.tool_calls
    assert (first.id, first.arguments, second.id) == ("call_0", {"x": 1}, "call_1")


@pytest.mark.parametrize(
    ("error", "wanted"),
    [
        ({"code": "server_error"}, ServerError),
        ({"code": "rate_limit_exceeded"}, RateLimitError),
        ({"code": "slow_down"}, OverloadedError),
        ({"code": "server_is_overloaded"}, OverloadedError),
        ({"code": "insufficient_quota"}, QuotaExceededError),
        ({"code": "context_length_exceeded"}, ContextLengthError),
        ({"code": "invalid_prompt"}, ContentFilterError),
        ({"code": "bio_policy"}, ContentFilterError),
        ({"code": "misalignment_policy_violation"}, ContentFilterError),
        ({"code": "image_content_policy_violation"}, ContentFilterError),
        ({"code": "vector_store_timeout"}, ProviderTimeoutError),
        ({"code": "invalid_image_url"}, InvalidRequestError),
        ({"code": "image_too_large"}, InvalidRequestError),
        ({"code": "failed_to_download_image"}, InvalidRequestError),
        ({"code": "data_residency_mismatch"}, InvalidRequestError),
        ({"code": "model_not_found"}, ModelNotFoundError),
        ({"code": "invalid_api_key"}, AuthenticationError),
        ({"code": "of_tomorrow"}, ServerError),
    ],
)
def test_a_failed_response_has_its_own_class(
    error: dict[str, Any], wanted: type[ProviderError]
) -> None:
    """What failed is told by the code: in the body, in the last event, in an error event."""
    told = {**error, "message": "the reason"}
    # The caller's own labels, which a response repeats, are no codes.
    response = {"status": "failed", "error": told, "metadata": {"code": "insufficient_quota"}}
    with pytest.raises(wanted, match="the reason") as whole:
        decode(**response)
    assert type(whole.value) is wanted
    for last in (
        event("failed", response=response),
        {"type": "error", **told, "param": None},
        {"type": "error", "error": {"type": "invalid_request_error", **told}}
        if wanted is not ServerError
        else {"error": told},
    ):
        decoder = RESPONSES.decoder()
        assert decoder.feed(framed(text("par"), last)) == [TextDelta("par")]
        assert decoder.finished
        with pytest.raises(wanted, match="the reason") as streamed:
            decoder.close()
        assert type(streamed.value) is wanted
        assert streamed.value.code == error["code"]


@pytest.mark.parametrize(
    ("status", "words"), [("failed", "gave no reason"), ("cancelled", "cancelled")]
)
def test_a_failure_without_an_error_is_one_all_the_same(status: str, words: str) -> None:
    """A status is enough, whole and in whichever event ends a stream."""
    with pytest.raises(ServerError, match=words):
        decode(said("x"), status=status)
    with pytest.raises(ServerError, match=words):
        read(event("completed", response={"status": status}))


@pytest.mark.parametrize(
    "fields",
    [
        {"output": None},
        {"output": {}},
        {"status": "queued"},
        {"status": "in_progress"},
    ],
)
def test_no_reply_is_malformed(fields: dict[str, Any]) -> None:
    """A response without items, or one that is still being made, is no reply."""
    with pytest.raises(MalformedResponseError):
        decode(said("x"), **fields)


def test_errors_of_servers_behind_the_interface() -> None:
    """A body of another shape inside a 200 is classified by what it says."""
    with pytest.raises(AuthenticationError):
        RESPONSES.decode(b'{"error":{"code":"invalid_api_key","message":"no"}}')
    with pytest.raises(ProviderError, match="Not Found"):
        RESPONSES.decode(b'{"detail":"Not Found"}')


def test_the_context_window_in_the_interfaces_own_words() -> None:
    """The sentence is enough, also without a code."""
    body = b'{"error":{"message":"Your input exceeds the context window of this model."}}'
    assert isinstance(RESPONSES.classify(400, {}, body, now=0.0), ContextLengthError)

"""The replies, streams and errors of Gemini's generateContent."""

import json
from contextlib import suppress
from typing import Any

import pytest

from trio_llm.chat import (
    Completion,
    Delta,
    Message,
    Reasoning,
    ReasoningDelta,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from trio_llm.errors import (
    AuthenticationError,
    ContextLengthError,
    InvalidRequestError,
    MalformedResponseError,
    ModelNotFoundError,
    OverloadedError,
    PermissionDeniedError,
    ProviderError,
    ProviderTimeoutError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
    StreamInterruptedError,
)
from trio_llm.wire import DIALECTS

GEMINI = DIALECTS["gemini"]


def reply(*parts: Any, finish: Any = "STOP", **fields: Any) -> dict[str, Any]:
    """Make a reply of one candidate."""
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}}
    if finish is not None:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], **fields}


def decode(value: Any) -> Completion:
    """Read a whole reply."""
    return GEMINI.decode(json.dumps(value).encode())


def events(*chunks: Any) -> bytes:
    """Write chunks as events, with the line ends that the provider uses."""
    return b"".join(b"data: %b\r\n\r\n" % json.dumps(chunk).encode() for chunk in chunks)


def read(body: bytes, size: int = 1 << 20) -> tuple[list[Delta], Completion]:
    """Decode a stream in pieces."""
    decoder = GEMINI.decoder()
    deltas: list[Delta] = []
    for start in range(0, len(body), size):
        deltas += decoder.feed(body[start : start + size])
    return deltas, decoder.close()


HELLO = (
    reply({"text": "Hel"}, finish=None, responseId="r"),
    reply({"text": "lo"}, modelVersion="m", usageMetadata={"promptTokenCount": 2}),
)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("LANGUAGE", "content_filter"),
        ("BLOCKLIST", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("SPII", "content_filter"),
        ("IMAGE_SAFETY", "content_filter"),
        ("MODEL_ARMOR", "content_filter"),
        ("TOO_MANY_TOOL_CALLS", "unknown"),
        ("OTHER", "unknown"),
        ("FAKE_NEW_FINISH_REASON", "unknown"),
        (None, "unknown"),
    ],
)
def test_finish_reasons(raw: str | None, reason: str) -> None:
    """Each has its word, and the provider's own is kept; new ones are unknown."""
    completion = decode(reply({"text": "x"}, finish=raw))
    assert (completion.finish_reason, completion.raw_finish) == (reason, raw)


def test_finish_reasons_by_number() -> None:
    """A server that was asked for numbers is understood."""
    assert decode(reply({"text": "x"}, finish=1)).raw_finish == "STOP"
    assert decode(reply({"text": "x"}, finish=2)).finish_reason == "length"
    assert decode(reply({"text": "x"}, finish=99)).finish_reason == "unknown"


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        ("MALFORMED_FUNCTION_CALL", ServerError),
        ("UNEXPECTED_TOOL_CALL", ServerError),
        ("MALFORMED_RESPONSE", ServerError),
        ("MISSING_THOUGHT_SIGNATURE", InvalidRequestError),
    ],
)
def test_a_finish_without_an_answer_is_an_error(raw: str, error: type[ProviderError]) -> None:
    """A slip of the model can be tried again; a request that lacks a signature cannot."""
    value = {"candidates": [{"finishReason": raw, "finishMessage": "bad call: print("}]}
    with pytest.raises(error, match="bad call") as plain:
        decode(value)
    with pytest.raises(error, match="bad call") as streamed:
        read(events(value))
    for caught in (plain, streamed):
        assert type(caught.value) is error
        assert caught.value.code == raw


def test_stop_with_calls_means_tool_calls() -> None:
    """The provider says STOP for calls too; one that was cut stays cut."""
    call = {"functionCall": {"name": "f", "args": {"x": None}}}
    completion = decode(reply(call))
    assert (completion.finish_reason, completion.raw_finish) == ("tool_calls", "STOP")
    assert decode(reply(call, finish="MAX_TOKENS")).finish_reason == "length"


def test_calls_without_identifiers_get_their_own() -> None:
    """They bear the response's identifier, so that no two of a conversation are alike."""
    call = {"functionCall": {"name": "f"}}
    completion = decode(reply(call, call, responseId="r/1"))
    assert [item.id for item in completion.message.tool_calls] == ["call_0_r_1", "call_1_r_1"]
    assert [item.arguments for item in completion.message.tool_calls] == [{}, {}]
    assert [item.id for item in decode(reply(call, call)).message.tool_calls] == [
        "call_0",
        "call_1",
    ]
    _, streamed = read(events(reply(call, finish=None, responseId="r"), reply(call)))
    assert [item.id for item in streamed.message.tool_calls] == ["call_0_r", "call_1_r"]


@pytest.mark.parametrize("feedback", [{"blockReason": "SAFETY"}, {"blockReasonMessage": "because"}])
def test_a_prompt_that_is_refused_is_filtered(feedback: Any) -> None:
    """There is no candidate then; it is a finish, plain and streamed."""
    value = {"promptFeedback": feedback, "usageMetadata": {"promptTokenCount": 4}}
    for completion in (decode(value), read(events(value))[1]):
        assert completion.finish_reason == "content_filter"
        assert completion.raw_finish == feedback.get("blockReason")
        assert completion.message.text == ""
        assert completion.usage == Usage(4)


@pytest.mark.parametrize("content", [None, {}, {"role": "model"}, {"parts": []}])
def test_content_and_parts_may_be_missing(content: Any) -> None:
    """Nothing was said, which is no fault."""
    candidate = {"finishReason": "MAX_TOKENS"} | ({} if content is None else {"content": content})
    completion = decode({"candidates": [candidate]})
    assert (completion.message.content, completion.finish_reason) == ((), "length")
    assert read(events({"candidates": [candidate]}))[1].finish_reason == "length"


def test_usage_counts_thoughts_as_output_and_tools_as_input() -> None:
    """The candidates' count leaves thoughts out, the prompt's what tools read in."""
    usage = {
        "promptTokenCount": 10,
        "cachedContentTokenCount": 4,
        "candidatesTokenCount": 5,
        "thoughtsTokenCount": 7,
        "toolUsePromptTokenCount": 3,
        "totalTokenCount": 25,
    }
    expected = Usage(13, 12, cached_tokens=4, reasoning_tokens=7)
    assert decode(reply({"text": "x"}, usageMetadata=usage)).usage == expected
    assert read(events(reply({"text": "x"}, usageMetadata=usage)))[1].usage == expected
    assert decode(reply({"text": "x"}, usageMetadata={"trafficType": "ON_DEMAND"})).usage is None


def test_only_the_first_candidate_is_read() -> None:
    """Others come when they were asked for by an extra field."""
    second = {"content": {"parts": [{"text": "no"}]}, "index": 1, "finishReason": "STOP"}
    value = reply({"text": "yes"})
    value["candidates"].insert(0, second)
    assert decode(value).message.text == "yes"
    assert read(events(value, {"candidates": [second]}))[1].message.text == "yes"


def test_parts_of_unknown_kind_are_kept_for_the_way_back() -> None:
    """A picture in the answer is no text, and is not lost."""
    picture = {"inlineData": {"mimeType": "image/png", "data": "cA=="}}
    completion = decode(reply({"text": "see"}, picture, {}))
    assert completion.message.content == (
        Text("see"),
        Reasoning("", {"part": picture}, "gemini"),
    )


@pytest.mark.parametrize(
    "value",
    [
        {"this": [{"is": "not"}]},
        {"candidates": []},
        {"candidates": [], "promptFeedback": {"safetyRatings": []}},
        [],
        [reply({"text": "x"})],
        reply({"functionCall": {}}),
        reply({"functionCall": {"name": "f", "partialArgs": [], "willContinue": True}}),
    ],
)
def test_what_is_no_answer_is_malformed(value: Any) -> None:
    """No candidate and no refusal, or a call that cannot be read."""
    with pytest.raises(MalformedResponseError):
        decode(value)


def test_an_error_inside_a_success_is_raised() -> None:
    """Also within an array, as the method for streams puts it."""
    error = {"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}
    for value in (error, [error]):
        with pytest.raises(OverloadedError, match="busy"):
            decode(value)


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r"])
def test_a_stream_of_events(size: int, end: bytes) -> None:
    """Line ends of every kind are read; nothing marks the end but the finish reason."""
    deltas, completion = read(events(*HELLO).replace(b"\r\n", end), size)
    assert deltas == [TextDelta("Hel"), TextDelta("lo")]
    assert completion.message == Message("assistant", "Hello")
    assert (completion.finish_reason, completion.model, completion.response_id) == (
        "stop",
        "m",
        "r",
    )
    assert completion.usage == Usage(2)


def test_a_stream_whose_last_event_has_no_blank_line() -> None:
    """The end of the response ends the event."""
    assert read(events(*HELLO).rstrip())[1].message.text == "Hello"


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("indent", [None, 2])
def test_a_stream_that_is_one_array(size: int, indent: int | None) -> None:
    """Without ``alt=sse`` the chunks are elements of an array; each is given when it is whole."""
    tricky = reply({"text": 'a "quoted" } \\'}, finish=None)
    body = b"\xef\xbb\xbf" + json.dumps([tricky, *HELLO], indent=indent).encode()
    deltas, completion = read(body, size)
    assert deltas == [TextDelta('a "quoted" } \\'), TextDelta("Hel"), TextDelta("lo")]
    assert completion.message.text == 'a "quoted" } \\Hello'
    decoder = GEMINI.decoder()
    assert decoder.feed(json.dumps([tricky])[:-1].encode()) == [TextDelta('a "quoted" } \\')]


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_bare_error_in_the_middle(size: int, indent: int | None, *, wrapped: bool) -> None:
    """An error comes as JSON in no event; the text before it is given, then it is raised."""
    error: Any = {"error": {"code": 429, "message": "slow\ndown {", "status": "X"}}
    text = json.dumps([error] if wrapped else error, indent=indent) + "\n"
    body = events(HELLO[0]) + text.encode()
    decoder = GEMINI.decoder()
    deltas: list[Delta] = []
    with suppress(ProviderError):
        for start in range(0, len(body), size):
            deltas += decoder.feed(body[start : start + size])
    assert deltas == [TextDelta("Hel")]
    assert decoder.finished
    with pytest.raises(ProviderError, match="slow") as caught:
        decoder.close()
    assert caught.value.status == 429


def test_an_error_as_an_event_or_alone() -> None:
    """An error in an event, or in place of the stream, is the error that it says."""
    error = {"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}
    for body in (
        events(error),
        json.dumps(error).encode(),
        json.dumps([error], indent=1).encode(),
    ):
        with pytest.raises(OverloadedError, match="busy"):
            read(body)


def test_a_stream_without_a_finish_reason_is_cut() -> None:
    """The end of the response alone does not make an answer; the text so far is kept."""
    with pytest.raises(StreamInterruptedError) as caught:
        read(events(HELLO[0]))
    assert caught.value.partial_text == "Hel"
    with pytest.raises(StreamInterruptedError):
        read(json.dumps(list(HELLO)).encode()[:-40])
    with pytest.raises(StreamInterruptedError):
        read(events(HELLO[0]) + events(HELLO[1])[:-20])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"data: [DONE]\r\n\r\n",
        events({"candidates": [{"content": {"missing-parts": True}}]}),
        events({"usageMetadata": {"promptTokenCount": 1}}),
        b"data: 3\r\n\r\n",
        b"data: {\r\n\r\n",
        b'[{"candidates"',
        b"[\xff{}",
        b'{"a": "\xff"}',
        b"<html>{}</html>",
    ],
)
def test_a_stream_of_nothing_is_malformed(body: bytes) -> None:
    """No part of an answer ever came."""
    with pytest.raises(MalformedResponseError):
        read(body)


def test_a_blank_or_foreign_event_says_nothing() -> None:
    """Events without data, comments and another dialect's end marker are skipped."""
    body = b": hello\r\n\r\ndata: \r\n\r\n" + events(*HELLO) + b"data: [DONE]\r\n\r\n"
    assert read(body)[1].message.text == "Hello"


def test_signatures_in_a_stream_stay_with_their_parts() -> None:
    """Pieces are joined, but never one that is signed with one that is not."""
    call = {"functionCall": {"name": "f", "args": {"x": 1}, "id": "a"}, "thoughtSignature": "s3"}
    deltas, completion = read(
        events(
            reply({"text": "th", "thought": True}, finish=None),
            reply({"text": "ink", "thought": True}, finish=None),
            reply({"text": "!", "thought": True, "thoughtSignature": "s1"}, finish=None),
            reply({"text": "a"}, finish=None),
            reply({"text": "b"}, finish=None),
            reply({"text": "c", "thoughtSignature": "s2"}, finish=None),
            reply({"text": "d"}, call, finish=None),
            reply({"text": "", "thoughtSignature": "s4"}),
        )
    )
    assert completion.message.content == (
        Reasoning("think", None, "gemini"),
        Reasoning("!", {"thoughtSignature": "s1"}, "gemini"),
        Text("ab"),
        Reasoning("", {"nextSignature": "s2"}, "gemini"),
        Text("c"),
        Text("d"),
        Reasoning("", {"nextSignature": "s3"}, "gemini"),
        ToolCall("a", "f", {"x": 1}, '{"x":1}'),
        Reasoning("", {"part": {"text": "", "thoughtSignature": "s4"}}, "gemini"),
    )
    assert [delta for delta in deltas if isinstance(delta, ReasoningDelta)] == [
        ReasoningDelta("th"),
        ReasoningDelta("ink"),
        ReasoningDelta("!"),
    ]
    assert "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)) == "abcd"
    assert [delta for delta in deltas if isinstance(delta, ToolCallDelta)] == [
        ToolCallDelta(0, "a", "f"),
        ToolCallDelta(0, arguments='{"x":1}'),
    ]


def test_signatures_survive_the_servers_stream() -> None:
    """What no delta carries comes at the end: calls with theirs, texts with an empty one."""
    message = Message(
        "assistant",
        [
            Reasoning("hm", {"thoughtSignature": "s1"}, "gemini"),
            Reasoning("", {"nextSignature": "s2"}, "gemini"),
            Text("x"),
            Reasoning("", {"nextSignature": "s3"}, "gemini"),
            ToolCall("a", "f", {}),
            Reasoning("", {"part": {"executableCode": {}}}, "gemini"),
        ],
    )
    encoder = GEMINI.encoder("m")
    body = encoder.start() + encoder.delta(ReasoningDelta("hm")) + encoder.delta(TextDelta("x"))
    body += encoder.finish(Completion(message, "tool_calls"))
    assert read(body)[1].message.content == (
        Reasoning("hm", None, "gemini"),
        Text("x"),
        Reasoning("", {"thoughtSignature": "s1"}, "gemini"),
        Reasoning("", {"part": {"text": "", "thoughtSignature": "s2"}}, "gemini"),
        Reasoning("", {"nextSignature": "s3"}, "gemini"),
        ToolCall("a", "f", {}, "{}"),
        Reasoning("", {"part": {"executableCode": {}}}, "gemini"),
    )


def error_of(
    status: int, state: str, message: str, *details: Any, wrapped: bool = False
) -> ProviderError:
    """Classify an error response in the provider's shape."""
    error: dict[str, Any] = {"code": status, "message": message, "status": state}
    if details:
        error["details"] = list(details)
    value = [{"error": error}] if wrapped else {"error": error}
    return GEMINI.classify(status, {}, json.dumps(value).encode(), now=0.0)


def quota(*names: str) -> dict[str, Any]:
    """Make the detail that names quotas."""
    return {
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [{"quotaMetric": "m", "quotaId": name} for name in names],
    }


RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "36s"}
BAD_KEY = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
EXCEEDED = "You exceeded your current quota, please check your plan and billing details."


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (error_of(400, "INVALID_ARGUMENT", "no", BAD_KEY), AuthenticationError),
        (error_of(401, "UNAUTHENTICATED", "no"), AuthenticationError),
        (
            error_of(403, "PERMISSION_DENIED", "Your API key was reported as leaked."),
            AuthenticationError,
        ),
        (error_of(403, "PERMISSION_DENIED", "no"), PermissionDeniedError),
        (
            error_of(400, "FAILED_PRECONDITION", "User location is not supported for the API use."),
            InvalidRequestError,
        ),
        (
            error_of(404, "NOT_FOUND", "models/x is not found for API version v1beta"),
            ModelNotFoundError,
        ),
        (
            error_of(400, "INVALID_ARGUMENT", "The input token count (9) exceeds the maximum"),
            ContextLengthError,
        ),
        (error_of(400, "INVALID_ARGUMENT", "no"), InvalidRequestError),
        (error_of(402, "FAILED_PRECONDITION", "billing"), QuotaExceededError),
        (
            error_of(429, "RESOURCE_EXHAUSTED", EXCEEDED, quota("RequestsPerMinutePerProject")),
            RateLimitError,
        ),
        (
            error_of(429, "RESOURCE_EXHAUSTED", EXCEEDED, quota("RequestsPerDayPerProject")),
            QuotaExceededError,
        ),
        (
            error_of(
                429, "RESOURCE_EXHAUSTED", EXCEEDED, quota("TokensPerMinute", "RequestsPerDay")
            ),
            QuotaExceededError,
        ),
        (error_of(429, "RESOURCE_EXHAUSTED", "Resource exhausted.", wrapped=True), RateLimitError),
        (error_of(499, "CANCELLED", "no"), ServerError),
        (error_of(500, "INTERNAL", "no"), ServerError),
        (error_of(503, "UNAVAILABLE", "The model is overloaded."), OverloadedError),
        (error_of(504, "DEADLINE_EXCEEDED", "no"), ProviderTimeoutError),
    ],
)
def test_errors_have_their_classes(error: ProviderError, kind: type[ProviderError]) -> None:
    """A bad key is a 400 here, and a day's quota is no rate limit."""
    assert type(error) is kind


def test_the_wait_is_in_the_body() -> None:
    """No header tells it: a detail does, or the sentence; the state is the code."""
    minute = quota("RequestsPerMinute")
    error = error_of(429, "RESOURCE_EXHAUSTED", EXCEEDED, minute, RETRY)
    assert (error.retry_after, error.code) == (36.0, "RESOURCE_EXHAUSTED")
    said = f"{EXCEEDED} Please retry in 58.82s."
    assert error_of(429, "RESOURCE_EXHAUSTED", said, minute).retry_after == 58.82
    wrapped = error_of(429, "RESOURCE_EXHAUSTED", "Resource exhausted.", RETRY, wrapped=True)
    assert wrapped.retry_after == 36.0

"""From a behaviour and a dialect to the bytes of a response; no input or output here."""

import enum
import itertools
import json
from collections.abc import Iterable, Iterator

import attrs

from trio_llm.chat import Completion, Delta, Message, Text, TextDelta, ToolCallDelta
from trio_llm.testing.upstream.behaviour import Behaviour, Fault
from trio_llm.wire import Dialect, StreamEncoder

_PAGE = b"<!doctype html><html><head><title>Sign in</title></head><body>Sign in</body></html>"
_NOISE = b"\x00\x01 this is not HTTP \xff\r\n\r\n"
_HUGE = "x" * 300_000
_PADDING = b" " * 65_536
_PLACEHOLDER = "\N{SNOWMAN}"


class Ending(enum.Enum):
    """What happens after the last piece."""

    COMPLETE = "complete"
    CLOSE = "close"
    RESET = "reset"
    STALL = "stall"


@attrs.frozen(kw_only=True)
class Plan:
    """One response to be played.

    Attributes:
        status: The HTTP status; ``None`` means that no head is sent.
        headers: The headers; without a length the body is chunked.
        pieces: The body: seconds to wait, then bytes to send.
        ending: What happens after it.
    """

    status: int | None = 200
    headers: dict[str, str] = attrs.field(factory=dict[str, str])
    pieces: Iterable[tuple[float, bytes]] = ()
    ending: Ending = Ending.COMPLETE


_BEFORE_THE_HEAD = {
    Fault.CLOSE: Ending.CLOSE,
    Fault.RESET: Ending.RESET,
    Fault.SILENCE: Ending.STALL,
}
_MIDWAY = {
    Fault.STALL: Ending.STALL,
    Fault.CLOSE_MIDWAY: Ending.CLOSE,
    Fault.RESET_MIDWAY: Ending.RESET,
}


def plan(behaviour: Behaviour, dialect: Dialect | None, *, model: str, stream: bool) -> Plan:
    """Lay out the response to one request.

    Args:
        behaviour: What the script wants.
        dialect: In which the request came; ``None`` if its path names none.
        model: The model asked for.
        stream: Whether a stream was asked for.
    """
    odd = _without_dialect(behaviour)
    if odd is not None:
        return odd
    fixed = _fixed_body(behaviour, dialect)
    if fixed is not None:
        return _plain(behaviour, *fixed)
    assert dialect is not None  # noqa: S101 - without one the body is fixed
    if not stream:
        return _plain(behaviour, "application/json", _body(behaviour, dialect, model))
    kind = "application/x-ndjson" if dialect.name == "ollama" else "text/event-stream"
    empty = behaviour.fault is Fault.EMPTY
    frames = () if empty else _frames(behaviour, dialect.encoder(model), model)
    return _streamed(behaviour, _headers(behaviour, kind), frames)


def _without_dialect(behaviour: Behaviour) -> Plan | None:
    fault = behaviour.fault
    if fault in _BEFORE_THE_HEAD:
        return Plan(status=None, ending=_BEFORE_THE_HEAD[fault])
    if fault is Fault.NOT_HTTP:
        return Plan(status=None, pieces=((0.0, _NOISE),), ending=Ending.CLOSE)
    if fault is Fault.ENDLESS:
        pieces = itertools.repeat((behaviour.gap, _PADDING))
        return Plan(headers=_headers(behaviour, "application/json"), pieces=pieces)
    if behaviour.pieces is not None:
        return _streamed(behaviour, _headers(behaviour, "text/event-stream"), behaviour.pieces)
    return None


def _headers(behaviour: Behaviour, kind: str) -> dict[str, str]:
    headers = {"content-type": kind, **behaviour.headers}
    if behaviour.fault is Fault.HUGE_HEADERS:
        headers["x-huge"] = _HUGE
    if not behaviour.keep_alive:
        headers["connection"] = "close"
    return headers


def _fixed_body(behaviour: Behaviour, dialect: Dialect | None) -> tuple[str, bytes] | None:
    if behaviour.body is not None:
        return "application/json", behaviour.body
    if behaviour.fault is Fault.HTML:
        return "text/html; charset=utf-8", _PAGE
    if behaviour.status == 204 or 300 <= behaviour.status < 400:
        return "text/plain", b""
    if dialect is None:
        return "text/plain", behaviour.message.encode()
    if behaviour.status >= 400:
        error = dialect.encode_error(behaviour.status, behaviour.message, code=behaviour.code)
        return "application/json", error
    return None


def _plain(behaviour: Behaviour, kind: str, body: bytes) -> Plan:
    headers = _headers(behaviour, kind) | {"content-length": str(len(body))}
    fault = behaviour.fault
    if fault in _MIDWAY:
        return Plan(
            status=behaviour.status,
            headers=headers,
            pieces=((0.0, body[: len(body) // 2]),),
            ending=_MIDWAY[fault],
        )
    return Plan(status=behaviour.status, headers=headers, pieces=((0.0, body),) if body else ())


def _body(behaviour: Behaviour, dialect: Dialect, model: str) -> bytes:
    fault = behaviour.fault
    if fault is Fault.EMPTY:
        return b""
    if fault is Fault.ERROR_FRAME:
        return dialect.encode_error(500, behaviour.message, code=behaviour.code)
    completion = _completion(behaviour, model)
    if fault is Fault.INVALID_UTF8:
        completion = attrs.evolve(completion, message=Message("assistant", _PLACEHOLDER))
        return _spoil(dialect.encode_reply(completion))
    body = dialect.encode_reply(completion)
    return body[: len(body) // 2] if fault in {Fault.MALFORMED, Fault.CUT} else body


def _streamed(behaviour: Behaviour, headers: dict[str, str], frames: Iterable[bytes]) -> Plan:
    pauses = itertools.chain((behaviour.first_token,), itertools.repeat(behaviour.gap))
    ending = Ending.COMPLETE
    if behaviour.fault is not None:
        ending = _MIDWAY.get(behaviour.fault, Ending.COMPLETE)
        if behaviour.pieces is not None and ending is not Ending.COMPLETE:
            frames = itertools.islice(frames, behaviour.fault_after)
    return Plan(
        status=behaviour.status,
        headers=headers,
        pieces=zip(pauses, frames, strict=False),
        ending=ending,
    )


def _frames(behaviour: Behaviour, encoder: StreamEncoder, model: str) -> Iterator[bytes]:
    """Give the bytes of a stream; what starts it goes with the first delta."""
    before = encoder.start()
    fault = behaviour.fault
    midway = fault in _MIDWAY or fault in {
        Fault.CUT,
        Fault.MALFORMED,
        Fault.ERROR_FRAME,
        Fault.INVALID_UTF8,
    }
    for number, delta in enumerate(_deltas(behaviour)):
        if midway and number == behaviour.fault_after:
            break
        yield before + encoder.delta(delta)
        before = b""
    if fault is Fault.ERROR_FRAME:
        yield before + encoder.fail(behaviour.message)
    elif fault is Fault.MALFORMED:
        yield before + encoder.delta(TextDelta("broken")).replace(b"}", b"", 1)
    elif fault is Fault.INVALID_UTF8:
        yield before + _spoil(encoder.delta(TextDelta(_PLACEHOLDER)))
    elif midway:
        if before:
            yield before
        return
    end = encoder.finish(_completion(behaviour, model))
    yield before + (_without_last_frame(end) if fault is Fault.NO_TERMINATOR else end)


def _deltas(behaviour: Behaviour) -> Iterator[Delta]:
    yield from map(TextDelta, behaviour.chunks)
    for index, call in enumerate(behaviour.tool_calls):
        arguments = json.dumps(dict(call.arguments)) if call.raw is None else call.raw
        yield ToolCallDelta(index, call.id, call.name, arguments)


def _completion(behaviour: Behaviour, model: str) -> Completion:
    text = "".join(behaviour.chunks)
    parts = (*((Text(text),) if text else ()), *behaviour.tool_calls)
    return Completion(
        message=Message("assistant", parts),
        finish_reason=behaviour.finish_reason,
        usage=behaviour.usage,
        model=model,
    )


def _spoil(data: bytes) -> bytes:
    escaped = _PLACEHOLDER.encode("ascii", "backslashreplace")
    return data.replace(_PLACEHOLDER.encode(), b"\xff\xfe").replace(escaped, b"\xff\xfe")


def _without_last_frame(data: bytes) -> bytes:
    mark = b"\n\n" if b"\n\n" in data else b"\n"
    rest, _, _ = data.removesuffix(mark).rpartition(mark)
    return rest + mark if rest else b""

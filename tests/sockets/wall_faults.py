"""The wall of faults: connections that fail, and answers that are none."""

from tests.sockets.wall_case import ANY_STATUS, WAIT, Break, Case, Gets, Met, Server
from trio_llm import (
    ConnectionFailedError,
    MalformedResponseError,
    ProviderTimeoutError,
    ServerError,
    StreamInterruptedError,
)
from trio_llm.testing.upstream import Behaviour, Fault, ServedOutcome

_LEFT = ServedOutcome.CLIENT_CLOSED
_BROKE = ServedOutcome.FAULT
_NEVER = 3600.0
"""A pause that no test waits for, so that the server has not got further."""

CONNECTIONS = (
    Case(
        name="refused",
        fault="the connection is refused",
        plain=Met(ConnectionFailedError, "connect", seen=None),
        charged=True,
        server=Server.DOWN,
    ),
    Case(
        name="closed",
        fault="closed before the reply",
        script=Behaviour(fault=Fault.CLOSE),
        plain=Met(ConnectionFailedError, seen=_BROKE),
        charged=True,
    ),
    Case(
        name="reset",
        fault="reset before the reply",
        script=Behaviour(fault=Fault.RESET),
        plain=Met(ConnectionFailedError, seen=_BROKE),
        charged=True,
    ),
    Case(
        name="closed-at-once",
        fault="closed after the head",
        script=Behaviour(fault=Fault.CLOSE_MIDWAY, fault_after=0),
        plain=Met(ConnectionFailedError, "stream", seen=_BROKE),
        charged=True,
    ),
    Case(
        name="reset-at-once",
        fault="reset after the head",
        script=Behaviour(fault=Fault.RESET_MIDWAY, fault_after=0),
        plain=Met(ConnectionFailedError, "stream", seen=_BROKE),
        charged=True,
    ),
    Case(
        name="no-room",
        fault="no connection is ever made",
        plain=Met(ProviderTimeoutError, "connect", seen=None),
        charged=True,
        passes=WAIT,
        server=Server.FULL,
    ),
    Case(
        name="silent",
        fault="accepts and never answers",
        script=Behaviour(fault=Fault.SILENCE),
        plain=Met(ProviderTimeoutError, "first_token", seen=_LEFT),
        charged=True,
        passes=WAIT,
    ),
    Case(
        name="late",
        fault="first token after 20 s, where the limit is 10 s",
        script=Behaviour(latency=20.0),
        plain=Met(ProviderTimeoutError, "first_token", seen=_LEFT),
        charged=True,
        passes=10.0,
        patience=10.0,
    ),
    Case(
        name="stall-at-once",
        fault="stalls after the head",
        script=Behaviour(fault=Fault.STALL, fault_after=0),
        plain=Met(ProviderTimeoutError, "idle", seen=_LEFT),
        stream=Met(ProviderTimeoutError, "first_token", seen=_LEFT),
        charged=True,
        passes=WAIT,
    ),
    Case(
        name="slow",
        fault="first token after 20 s, where the limit is 30 s",
        script=Behaviour(latency=20.0),
        plain=Met(None),
        gets=Gets.ANSWER,
        passes=20.0,
    ),
)

BODIES = (
    Case(
        name="not-http",
        fault="what comes is not HTTP",
        script=Behaviour(fault=Fault.NOT_HTTP),
        plain=Met(MalformedResponseError, seen=_BROKE),
        charged=True,
    ),
    Case(
        name="html",
        fault="200 with HTML in place of JSON",
        script=Behaviour(fault=Fault.HTML),
        plain=Met(MalformedResponseError),
        stream=Met(MalformedResponseError, "stream"),
        charged=True,
    ),
    Case(
        name="empty",
        fault="an empty 200, an empty stream",
        script=Behaviour(fault=Fault.EMPTY),
        plain=Met(MalformedResponseError),
        stream=Met(MalformedResponseError, "stream"),
        charged=True,
    ),
    Case(
        name="malformed",
        fault="a body, or a first event, that is not JSON",
        script=Behaviour(fault=Fault.MALFORMED, fault_after=0, gap=_NEVER),
        plain=Met(MalformedResponseError),
        stream=Met(MalformedResponseError, "stream", seen=_LEFT),
        charged=True,
    ),
    Case(
        name="not-utf8",
        fault="text that is not UTF-8",
        script=Behaviour(fault=Fault.INVALID_UTF8, fault_after=0, gap=_NEVER),
        plain=Met(MalformedResponseError),
        stream=Met(MalformedResponseError, "stream", seen=_LEFT),
        charged=True,
    ),
    Case(
        name="error-inside",
        fault="200 with an error inside",
        script=Behaviour(fault=Fault.ERROR_FRAME, fault_after=0, gap=_NEVER),
        plain=Met(ServerError, status=ANY_STATUS),
        stream=Met(ServerError, "stream", status=ANY_STATUS, seen=_LEFT),
        charged=True,
    ),
    Case(
        name="cut-at-once",
        fault="a body cut in two, a stream cut before its first token",
        script=Behaviour(fault=Fault.CUT, fault_after=0),
        plain=Met(MalformedResponseError),
        stream=Met(StreamInterruptedError, "stream"),
        charged=True,
        # In the others nothing at all comes before the first token: an empty stream.
        dialects=("openai_chat", "openai_responses", "anthropic", "cohere"),
    ),
    Case(
        name="no-terminator",
        fault="no `[DONE]`, or its like, after a finish reason",
        script=Behaviour(fault=Fault.NO_TERMINATOR),
        plain=Met(None),
        gets=Gets.ANSWER,
        # In the others the last frame is the one that brings the finish reason.
        dialects=("openai_chat", "anthropic", "cohere", "gemini"),
    ),
)


def _after(fault: Fault) -> Behaviour:
    """Give the script of a stream that breaks after its second piece."""
    return Behaviour(fault=fault, fault_after=2, gap=1.0)


BREAKS = (
    Break(
        "stall",
        "in mid-stream, it stalls",
        _after(Fault.STALL),
        ProviderTimeoutError,
        _LEFT,
        passes=WAIT,
    ),
    Break(
        "closed",
        "in mid-stream, it is closed",
        _after(Fault.CLOSE_MIDWAY),
        ConnectionFailedError,
        _BROKE,
    ),
    Break(
        "reset",
        "in mid-stream, it is reset",
        _after(Fault.RESET_MIDWAY),
        ConnectionFailedError,
        _BROKE,
    ),
    Break(
        "cut",
        "in mid-stream, it ends without a terminal marker",
        _after(Fault.CUT),
        StreamInterruptedError,
    ),
    Break(
        "malformed",
        "in mid-stream, a malformed event",
        _after(Fault.MALFORMED),
        MalformedResponseError,
        _LEFT,
    ),
    Break(
        "error-frame",
        "in mid-stream, an error frame",
        _after(Fault.ERROR_FRAME),
        ServerError,
        _LEFT,
    ),
)

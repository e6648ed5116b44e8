"""From the exceptions of the HTTP library, the sockets and TLS to this library's own.

Messages are written here, never copied from a request: what the library below
says about a request may quote a header, and so a key.
"""

import errno
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import trio

from trio_llm.errors import (
    ConnectionFailedError,
    InvalidRequestError,
    MalformedResponseError,
    ProviderError,
    ProviderTimeoutError,
    StaleConnectionError,
)
from trio_llm.transport.library import httpx

FAULTS: tuple[type[Exception], ...] = (
    httpx.TransportError,
    httpx.InvalidURL,
    OSError,
    trio.BrokenResourceError,
)
"""What sending and receiving may raise for reasons outside this process."""


def explain(fault: Exception, phase: str, *, reused: bool = False) -> ProviderError:
    """Give the typed error for a fault, with the fault as its cause.

    Args:
        fault: What was raised.
        phase: ``connect``, ``response`` (before its head) or ``stream`` (in its body).
        reused: Whether the connection had served a response before.
    """
    error = _classify(fault, phase, reused=reused)
    # A fault in the request itself quotes the request.
    if not isinstance(error, InvalidRequestError):
        error.__cause__ = fault
    return error


_PHASE_OF_WAIT = {"connect": "connect", "response": "first_token", "stream": "idle"}


def _classify(fault: Exception, phase: str, *, reused: bool) -> ProviderError:
    error: ProviderError
    if isinstance(fault, httpx.LocalProtocolError):
        error = InvalidRequestError("a header of the request is not valid in HTTP", phase=phase)
    elif isinstance(fault, (httpx.UnsupportedProtocol, httpx.InvalidURL)):
        error = InvalidRequestError("the URL is not one of http:// or https://", phase="connect")
    elif isinstance(fault, httpx.TimeoutException):
        late = "connect" if isinstance(fault, httpx.ConnectTimeout) else _PHASE_OF_WAIT[phase]
        error = ProviderTimeoutError(f"the transport's own limit passed ({late})", phase=late)
    elif isinstance(fault, httpx.RemoteProtocolError) and not _is_end_of_input(fault):
        error = MalformedResponseError("what came back is not HTTP, or too large", phase=phase)
    elif phase == "response" and reused and not isinstance(fault, httpx.ConnectError):
        error = StaleConnectionError("a kept connection had ended", phase=phase)
    else:
        if isinstance(fault, (httpx.ConnectError, httpx.ProxyError)):
            phase = "connect"
        causes = list(_chain(fault))
        error = ConnectionFailedError(_reason(causes) or _WHERE[phase], phase=phase)
    return error


def _is_end_of_input(fault: Exception) -> bool:
    # The library below has one class for an end of input and for garbage, and
    # no field that tells them apart; these words come from httpcore and h11.
    words = str(fault)
    return words.startswith(("Server disconnected", "peer closed connection"))


_WHERE = {
    "connect": "no connection",
    "response": "the connection ended before the response began",
    "stream": "the connection ended in the middle of the response",
}

_OUT_OF_FILES = (errno.EMFILE, errno.ENFILE)

_REASONS: Mapping[type[Exception], Callable[[Any], str]] = {
    ssl.SSLCertVerificationError: lambda cause: (
        f"the TLS certificate was not accepted: {cause.verify_message}"
    ),
    ssl.SSLError: lambda cause: f"TLS failed: {cause.reason or 'the peer ended it'}",
    socket.gaierror: lambda cause: f"the host name does not resolve: {cause.strerror}",
    ConnectionRefusedError: lambda _cause: "the connection was refused",
    httpx.ProxyError: lambda _cause: "the proxy refused the connection",
}


def _reason(causes: Sequence[BaseException]) -> str | None:
    """Name the cause that the user can do something about, if there is one."""
    for cause in causes:
        if isinstance(cause, OSError) and cause.errno in _OUT_OF_FILES:
            return (
                "out of file descriptors: raise the limit of open files (ulimit -n), "
                "or lower max_concurrency"
            )
        for kind, describe in _REASONS.items():
            if isinstance(cause, kind):
                return describe(cause)
    return None


def _chain(fault: BaseException | None) -> Iterator[BaseException]:
    """Walk the causes, contexts and groups below an exception, each one once."""
    waiting: list[BaseException | None] = [fault]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop(0)
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        if isinstance(one, BaseExceptionGroup):
            waiting += cast("BaseExceptionGroup[BaseException]", one).exceptions
        waiting += (one.__cause__, one.__context__)

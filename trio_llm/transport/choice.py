"""The seam for a transport of the user's own: for tests, proxies, replay."""

from collections.abc import Callable
from typing import TypeAlias

from trio_llm.transport.library import VARIABLE, httpx

TransportChoice: TypeAlias = (
    httpx.AsyncBaseTransport | Callable[[str], httpx.AsyncBaseTransport | None] | None
)
"""One transport for every provider, or a callable from provider name to one."""


def check_choice(choice: object) -> None:
    """Refuse what is no choice, while the caller who made it can still be told.

    Raises:
        TypeError: It is neither a transport of the HTTP library in use nor callable.
    """
    if choice is None or isinstance(choice, httpx.AsyncBaseTransport) or callable(choice):
        return
    raise TypeError(
        f"transport must be an {httpx.__name__}.AsyncBaseTransport or a callable that gives "
        f"one, not {type(choice).__module__}.{type(choice).__qualname__}; "
        f"the environment variable {VARIABLE} chooses the library"
    )


def transport_for(choice: TransportChoice, provider: str) -> httpx.AsyncBaseTransport | None:
    """Give the transport of one provider; ``None`` means its own connections."""
    if choice is None or isinstance(choice, httpx.AsyncBaseTransport):
        return choice
    return choice(provider)

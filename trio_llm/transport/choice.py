"""The seam for a transport of the user's own: for tests, proxies, replay."""

from collections.abc import Callable
from typing import TypeAlias

from trio_llm.transport.library import httpx

TransportChoice: TypeAlias = (
    httpx.AsyncBaseTransport | Callable[[str], httpx.AsyncBaseTransport | None] | None
)
"""One transport for every provider, or a callable from provider name to one."""


def transport_for(choice: TransportChoice, provider: str) -> httpx.AsyncBaseTransport | None:
    """Give the transport of one provider; ``None`` means its own connections."""
    if choice is None or isinstance(choice, httpx.AsyncBaseTransport):
        return choice
    return choice(provider)

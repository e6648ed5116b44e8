"""The servers of the demonstration: three on loopback, each in another dialect."""

import os
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import attrs
import trio
from rich.text import Text

from trio_llm.cli.attempts import seconds
from trio_llm.config import CooldownSettings, PriceSettings, Provider
from trio_llm.testing.upstream import Served, ServedOutcome, Upstream, open_upstream

_KINDS = {
    "anna": ("anthropic", "anthropic"),
    "otto": ("openai_compatible", "openai_chat"),
    "olga": ("ollama", "ollama"),
}
"""Kind and dialect of each server, by name."""

DIALECTS = {name: dialect for name, (_, dialect) in _KINDS.items()}
"""The dialect of each server, by name."""


@attrs.frozen
class Servers:
    """The running servers, by name."""

    upstreams: dict[str, Upstream]

    def __getitem__(self, name: str) -> Upstream:
        return self.upstreams[name]

    def provider(self, name: str, *, rest: float = 5.0, failures: int = 3) -> Provider:
        """Configure the provider that is one of these servers.

        Args:
            name: Which one.
            rest: Seconds of its first cooldown.
            failures: How many failures in a row start one.
        """
        kind, dialect = _KINDS[name]
        return Provider(
            kind,
            model=f"{name}-1",
            base_url=self.upstreams[name].base_url(dialect),
            api_key="opens-nothing" if kind == "anthropic" else None,
            cooldown=CooldownSettings(initial=rest, after_failures=failures),
            max_concurrency=64,
            price=PriceSettings(),  # they cost nothing, and no list of prices need be read
        )

    def providers(self) -> dict[str, Provider]:
        """Configure all of them."""
        return {name: self.provider(name) for name in self.upstreams}

    async def lost(self, seen: dict[str, int]) -> list[str]:
        """Give the servers whose client left before their answer was sent.

        Args:
            seen: How many requests each had seen before.
        """
        left: list[str] = []
        for name, upstream in self.upstreams.items():
            requests: list[Served] = upstream.served[seen[name] :]
            outcomes = [await request.wait_finished() for request in requests]
            if ServedOutcome.CLIENT_CLOSED in outcomes:
                left.append(name)
        return left

    def seen(self) -> dict[str, int]:
        """Count the requests that each has seen."""
        return {name: len(upstream.served) for name, upstream in self.upstreams.items()}

    def introduction(self) -> Text:
        """Say who is there."""
        text = Text("Three servers on this machine, over real sockets in real wire formats:")
        for name, upstream in self.upstreams.items():
            text.append(f"\n  {name}", "bold")
            text.append(f" speaks {DIALECTS[name]:<12} at {upstream.url}")
        return text

    async def farewell(self, elapsed: float) -> Text:
        """Say what all of them saw, once every client connection is closed."""
        for upstream in self.upstreams.values():
            await upstream.wait_no_connections()
        counts = [upstream.statistics() for upstream in self.upstreams.values()]
        requests = sum(count.requests for count in counts)
        accepted = sum(count.connections_accepted for count in counts)
        still_open = sum(count.connections_open for count in counts)
        return Text(
            f"\n{requests} requests over {accepted} connections in {seconds(elapsed)}; "
            f"{still_open} connections are still open."
        )


@contextmanager
def _no_proxy() -> Generator[None, None, None]:
    """Keep a proxy of the environment away from loopback."""
    before = os.environ.get("no_proxy")
    os.environ["no_proxy"] = "127.0.0.1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["no_proxy"]
        else:
            os.environ["no_proxy"] = before


@asynccontextmanager
async def open_servers() -> AsyncGenerator[Servers, None]:
    """Run the servers."""
    with _no_proxy():
        async with AsyncExitStack() as stack:
            upstreams = {name: await stack.enter_async_context(open_upstream()) for name in _KINDS}
            yield Servers(upstreams)
            await trio.lowlevel.checkpoint()

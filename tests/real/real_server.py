"""Real servers in processes of their own, and what they say about themselves."""

import select
import subprocess
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain, repeat
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

import attrs
import pytest
import trio

from trio_llm import Config, Fallback, Provider

CONTEXT = 16384
"""Tokens of one conversation."""

ENDLESS = 16000
"""Tokens of an answer that takes a minute or more."""

KEY = "a-key-of-the-tests"
"""Without it a server says nothing but that it is well."""

PATIENCE = 20.0
"""Seconds after which something that should have happened will not."""

PAUSES = tuple(0.02 * 2**number for number in range(7))
"""Seconds between two looks.

The server notices that the client of a plain call is gone when a whole second passes
in which nobody asks how it is, so the looks become rare. No pause is slept in vain:
the first look that shows what is wanted ends the wait.
"""

SOCKET_TABLE = Path("/proc/net/tcp")

needs_socket_table = pytest.mark.skipif(
    not SOCKET_TABLE.exists(), reason=f"the system has no {SOCKET_TABLE}"
)

PROGRAM = Path(__file__).with_name("real_llama.py")

# A proxy of the environment is for other addresses than ours.
_direct = build_opener(ProxyHandler({}))


@attrs.frozen
class Load:
    """What a server is doing.

    Attributes:
        answering: How many requests it is answering.
        written: Tokens that it has written in all the requests that have ended.
    """

    answering: int
    written: int


@attrs.frozen(eq=False)
class Server:
    """A llama.cpp server in a process that can be killed.

    Attributes:
        address: Its URL, without a path.
        process: Its process.
    """

    address: str
    process: "subprocess.Popen[str]"

    @property
    def url(self) -> str:
        """The base URL for OpenAI's dialect and Anthropic's."""
        return f"{self.address}/v1"

    @property
    def port(self) -> int:
        """The TCP port on which it listens."""
        return int(self.address.rpartition(":")[2])

    def get(self, path: str) -> str:
        """Ask its own API."""
        request = Request(f"{self.address}{path}", headers={"authorization": f"Bearer {KEY}"})  # noqa: S310 - our own address
        with _direct.open(request, timeout=PATIENCE) as response:
            text: str = response.read().decode()
        return text

    def load(self) -> Load:
        """Look at what it is doing."""
        counts = dict(
            line.removeprefix("llamacpp:").split()
            for line in self.get("/metrics").splitlines()
            if line.startswith("llamacpp:")
        )
        return Load(int(counts["requests_processing"]), int(counts["tokens_predicted_total"]))

    def kill(self) -> None:
        """Kill it, as a crash would; nothing of it is left when this returns."""
        self.process.kill()
        self.process.wait()

    async def reached(self, wanted: Callable[[Load], bool]) -> Load:
        """Look until it does what is wanted.

        Raises:
            TooSlowError: It did not come to that in `PATIENCE` seconds.
        """
        pauses = chain(PAUSES, repeat(PAUSES[-1]))
        with trio.fail_after(PATIENCE):
            load = await trio.to_thread.run_sync(self.load)
            while not wanted(load):
                await trio.sleep(next(pauses))
                load = await trio.to_thread.run_sync(self.load)
        return load

    async def connections(self) -> int:
        """Count the connections to it that are open, by the socket table of the system."""
        table = await trio.Path(SOCKET_TABLE).read_text()
        rows = [line.split() for line in table.splitlines()[1:]]
        # The columns: number, local address, remote address, state; 01 is ESTABLISHED.
        return sum(row[2].endswith(f":{self.port:04X}") and row[3] == "01" for row in rows)


def idle(load: Load) -> bool:
    """Whether a server is answering nobody."""
    return load.answering == 0


def busy(load: Load) -> bool:
    """Whether a server is answering."""
    return load.answering > 0


def _address_of(process: "subprocess.Popen[str]", log: Path) -> str:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], PATIENCE)
    address = process.stdout.readline().strip() if ready else ""
    assert address, f"llama.cpp did not start:\n{log.read_text(errors='replace')}"
    return address


@contextmanager
def started(
    model: Path, logs: Path, names: tuple[str, ...], purpose: str = "chat"
) -> Generator[list[Server], None, None]:
    """Start servers side by side; all have ended when the block is left."""
    with ExitStack() as cleanup:
        processes: list[tuple[subprocess.Popen[str], Path]] = []
        for name in names:
            log = logs / f"{name}.log"
            process = cleanup.enter_context(
                subprocess.Popen(  # noqa: S603 - our own program
                    [sys.executable, str(PROGRAM), str(model), str(CONTEXT), KEY, purpose],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=cleanup.enter_context(log.open("wb")),
                    text=True,
                )
            )
            cleanup.callback(process.kill)
            processes.append((process, log))
        servers = [Server(_address_of(process, log), process) for process, log in processes]
        for server in servers:
            assert "ok" in server.get("/health")
        yield servers


def provider(server: Server, name: str, kind: str = "llamacpp", **settings: Any) -> Provider:
    """Make a provider that asks a server in one of the dialects that it speaks."""
    given: dict[str, Any] = {"base_url": server.url, "model": "syllables", "api_key": KEY}
    return Provider(kind, name, **given | settings)


def in_turn(servers: Sequence[Server], **settings: Any) -> Config:
    """Make a fallback from the first server to the second, whose answers are short."""
    first, second = servers
    members = (
        provider(first, "first", **settings),
        provider(second, "second", max_tokens_per_request=8),
    )
    return Config(default=Fallback(members, name="in turn"))

"""A simulated upstream in a process of its own, which a test may kill without a word.

Run as a module it prints its address, then one line for each request that it reads.
"""

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import PIPE

import attrs
import trio

from trio_llm import Provider
from trio_llm.testing.upstream import Behaviour, Fault, Served, open_upstream

SCRIPT = {
    "silent": Behaviour(fault=Fault.SILENCE),
    "stalled": Behaviour(fault=Fault.STALL, fault_after=2),
}


@attrs.define(eq=False)
class Victim:
    """The process, and its address.

    Attributes:
        url: Its address, with the prefix of the dialect.
    """

    url: str
    _process: trio.Process
    _lines: trio.MemoryReceiveChannel[str]

    def provider(self, name: str, model: str) -> Provider:
        """Make a provider at this upstream."""
        return Provider("openai_compatible", name, base_url=self.url, model=model)

    async def wait_requests(self, count: int) -> None:
        """Wait until so many further requests have been read there."""
        for _ in range(count):
            assert await self._lines.receive() == "request"

    async def kill(self) -> None:
        """Kill it, as the kernel does: no ``finally``, no farewell."""
        self._process.kill()
        await self._process.wait()


@asynccontextmanager
async def open_victim() -> AsyncGenerator[Victim, None]:
    """Start the process; what is left of it is killed at the end."""
    send, receive = trio.open_memory_channel[str](100)
    command = [sys.executable, "-m", "tests.sockets.socket_victim"]
    async with trio.open_nursery() as nursery, send, receive:
        root = Path(__file__).parents[2]
        process = await trio.lowlevel.open_process(command, stdout=PIPE, cwd=root)
        try:
            nursery.start_soon(_read_lines, process, send)
            yield Victim(await receive.receive(), process, receive)
        finally:
            process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()
            nursery.cancel_scope.cancel()


async def _read_lines(process: trio.Process, lines: trio.MemorySendChannel[str]) -> None:
    assert process.stdout is not None
    rest = b""
    async with process.stdout as output:
        async for data in output:
            *whole, rest = (rest + data).split(b"\n")
            for line in whole:
                await lines.send(line.decode())


def _script(served: Served) -> Behaviour:
    sys.stdout.write("request\n")
    sys.stdout.flush()
    return SCRIPT[served.model or ""]


async def main() -> None:
    """Serve until killed."""
    async with open_upstream(_script) as upstream:
        sys.stdout.write(upstream.base_url("openai_chat") + "\n")
        sys.stdout.flush()
        await trio.sleep_forever()


if __name__ == "__main__":
    trio.run(main)

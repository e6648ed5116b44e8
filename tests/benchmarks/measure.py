"""How the benchmarks measure: CPU time of this process, best of several rounds."""

import gc
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import trio

Call = Callable[[], Awaitable[object]]
Row = tuple[str, ...]


@contextmanager
def server(delay: float, certificate: str | None = None) -> Generator[int, None, None]:
    """Run the waiting upstream in a process of its own; give its port."""
    command = [sys.executable, str(Path(__file__).with_name("server.py")), str(delay)]
    if certificate is not None:
        command.append(certificate)
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:  # noqa: S603 - ours
        if process.stdout is None:
            raise RuntimeError("the server has no output")
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


async def cpu_per_call(call: Call, *, calls: int, concurrency: int, rounds: int = 3) -> float:
    """Give microseconds of CPU for one call, with so many in flight at once."""

    async def caller(count: int) -> None:
        for _ in range(count):
            await call()

    async def together(each: int) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(concurrency):
                nursery.start_soon(caller, each)

    await together(max(1, min(20, 200 // concurrency)))
    each = max(1, calls // concurrency)
    best = float("inf")
    for _ in range(rounds):
        gc.collect()
        start = time.process_time()
        await together(each)
        best = min(best, (time.process_time() - start) / (each * concurrency))
    return best * 1e6


def cpu_of(call: Callable[[], object], *, rounds: int = 7) -> float:
    """Give microseconds of CPU for one call that does not wait."""
    call()
    best = float("inf")
    for _ in range(rounds):
        gc.collect()
        start = time.process_time()
        call()
        best = min(best, time.process_time() - start)
    return best * 1e6


def ratio(value: float, bare: float | None) -> str:
    """Write how many times a bare figure of the same run a figure is."""
    return "-" if bare is None else f"{value / bare:.2f}"


def resident() -> int:
    """Give the resident memory of this process, in bytes."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096

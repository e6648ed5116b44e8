"""What the tests on real sockets share: members at an upstream, and what is really open.

Sockets are counted in the table of the process and asked in the kernel, in one
synchronous step, so that "before the call returned" means just that.
"""

import os
import select
import socket
import stat
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_llm import Config, Endpoint, Provider, Reply, Runtime, Timeouts, open_runtime
from trio_llm.config.schema import Member
from trio_llm.testing.upstream import Upstream

KEY = "sk-sockets-0123456789"
PATIENT = Timeouts(connect=60.0, first_token=600.0, idle=600.0, total=6000.0)
KINDS = {
    "openai_chat": "openai_compatible",
    "openai_responses": "openai_responses",
    "anthropic": "anthropic",
    "ollama": "ollama",
    "cohere": "cohere",
    "gemini": "gemini",
}

_ENDED = select.POLLRDHUP | select.POLLHUP | select.POLLERR


def member(
    upstream: Upstream, name: str = "a", *, dialect: str = "openai_chat", **settings: Any
) -> Provider:
    """Make a provider at an upstream; its model bears its name, for scripts by model."""
    settings = {"model": name, "api_key": KEY, "timeouts": PATIENT, **settings}
    return Provider(KINDS[dialect], name, base_url=upstream.base_url(dialect), **settings)


@asynccontextmanager
async def open_llm(
    default: Member, *, wall_clock: Callable[[], float] | None = None, **settings: Any
) -> AsyncGenerator[Runtime, None]:
    """Open a runtime, and demand that it leaves no place taken, no task and no socket.

    It does not wait for calls that a failed test has left behind.
    """
    before = client_sockets()
    settings = {"close_deadline": 30.0, "drain_deadline": 0.0, **settings}
    async with open_runtime(Config(default=default, **settings), wall_clock=wall_clock) as llm:
        yield llm
        assert_at_rest(llm)
    assert client_sockets() == before
    assert runtime_tasks() == []


def assert_at_rest(llm: Runtime) -> None:
    """Demand that nothing runs, waits or occupies a place."""
    for status in llm.status():
        assert (status.name, status.in_flight, status.queued) == (status.name, 0, 0)
    assert llm.statistics().overruns == 0


async def ask(llm: Endpoint, *, stream: bool) -> Reply:
    """Ask, and take the whole answer, at once or as it is written."""
    if not stream:
        return await llm.generate("hello")
    async with llm.stream("hello") as events:
        async for _ in events:
            pass
        return events.reply


async def when_blocked(upstream: Upstream, requests: int, act: Callable[[], object]) -> None:
    """Act as soon as so many requests have come and everybody waits."""
    await upstream.wait_requests(requests)
    await wait_all_tasks_blocked()
    act()


async def jump_when_blocked(
    clock: MockClock, upstream: Upstream, requests: int, seconds: float
) -> None:
    """Let time pass as soon as so many requests have come and everybody waits."""
    await when_blocked(upstream, requests, lambda: clock.jump(seconds))


@contextmanager
def full_listener() -> Generator[str, None, None]:
    """Give the URL of a port whose queue is full, so that connecting to it only waits."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def client_sockets() -> int:
    """Count this process's TCP sockets, but for those of the servers in it."""
    with _tcp_sockets() as sockets:
        served = {_port(one) for one in sockets if _listens(one)}
        return sum(_port(one) not in served for one in sockets)


def open_connections(upstream: Upstream) -> int:
    """Count the connections of an upstream whose end has not arrived at its side."""
    port = int(upstream.url.rpartition(":")[2])
    poll = select.poll()
    with _tcp_sockets() as sockets:
        mine = [one for one in sockets if _port(one) == port and not _listens(one)]
        for one in mine:
            poll.register(one, select.POLLRDHUP)
        return len(mine) - sum(bool(event & _ENDED) for _, event in poll.poll(0))


@contextmanager
def _tcp_sockets() -> Generator[list[socket.socket], None, None]:
    with ExitStack() as stack:
        found: list[socket.socket] = []
        for fd in [int(path.name) for path in Path("/dev/fd").iterdir()]:
            # The descriptor of the listing itself is gone by now.
            with suppress(OSError):
                if not stat.S_ISSOCK(os.fstat(fd).st_mode):
                    continue
                twin = stack.enter_context(socket.socket(fileno=os.dup(fd)))
                if (twin.family, twin.type) == (socket.AF_INET, socket.SOCK_STREAM):
                    found.append(twin)
        yield found


def _port(one: socket.socket) -> int:
    port: int = one.getsockname()[1]
    return port


def _listens(one: socket.socket) -> bool:
    return bool(one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def runtime_tasks() -> list[str]:
    """Name the tasks of the library that live, but for those of simulated upstreams."""
    root = trio.lowlevel.current_root_task()
    names: list[str] = []
    waiting = [] if root is None else [root]
    while waiting:
        task = waiting.pop()
        names.append(task.name)
        waiting += [child for nursery in task.child_nurseries for child in nursery.child_tasks]
    return [
        name
        for name in names
        if name.startswith("trio_llm.") and not name.startswith("trio_llm.testing.")
    ]

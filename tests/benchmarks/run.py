"""What a call through the runtime costs, beside a bare call in the same run.

``python -m tests.benchmarks.run`` prints the tables; ``--markdown`` prints them as
they stand in the README. CPU time is that of the client's process alone. Run it
on a quiet machine: other work on the same cores shows in the figures.
"""

import argparse
import json
import math
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import trio
import trustme
from rich.console import Console
from rich.table import Table

import trio_llm
from tests.benchmarks.accounting import accounts
from tests.benchmarks.bare import QUESTION, async_client, h11_client
from tests.benchmarks.caching import caching
from tests.benchmarks.dialects import dialects
from tests.benchmarks.hedging import orders, tails
from tests.benchmarks.logs import logged
from tests.benchmarks.measure import Call, Row, cpu_per_call, ratio, resident, server
from tests.benchmarks.operations import throughput, tool_rounds, vectors, wrappers
from tests.benchmarks.server import CHUNKS
from tests.benchmarks.store import questions
from tests.benchmarks.store import throughput as store_throughput
from tests.benchmarks.telemetry import added, scrapes
from trio_llm import Config, Fallback, Provider, Race
from trio_llm.config import Member

LEVELS = ((1, 0.0, 600), (64, 0.05, 1280), (256, 0.3, 1024), (1000, 1.0, 3000))


def upstream(
    name: str, port: int, *, authorities: str | None = None, model: str = "bench"
) -> Provider:
    """Give a provider that asks the waiting upstream, over TLS if authorities are named."""
    return Provider(
        "openai_compatible",
        name,
        base_url=f"http{'s' if authorities else ''}://127.0.0.1:{port}/v1",
        model=model,
        verify=authorities or True,
        max_concurrency=4096,
        mailbox=4096,
    )


@asynccontextmanager
async def through(member: Member) -> AsyncGenerator[Call, None]:
    """Give a call through a runtime with this default."""
    async with trio_llm.open_runtime(Config(default=member)) as llm:

        async def call() -> object:
            return (await llm.generate("hi")).text

        yield call


async def http_level(concurrency: int, delay: float, calls: int) -> dict[str, float]:
    """Measure plain HTTP calls with so many in flight.

    The clients take turns, so that a machine that slows down slows all of them. With
    a thousand in flight each has the process to itself, or the idle connections of the
    others would count.
    """
    with server(delay) as port:
        two = [upstream("one", port), upstream("two", port)]
        clients = {
            "one": through(two[0]),
            "balancer": through(Fallback(two, mailbox=4096)),
            "h11": h11_client(port),
        }
        if concurrency < 1000:  # one client's pool does not finish, and a race triples the sockets
            clients["race"] = through(Race([*two, upstream("three", port)], mailbox=4096))
            clients["post"] = async_client(f"http://127.0.0.1:{port}/v1", concurrency)
        figures = dict.fromkeys(clients, math.inf)

        async def measure(name: str, call: Call, rounds: int) -> None:
            count = calls // 2 if name == "race" else calls
            cost = await cpu_per_call(call, calls=count, concurrency=concurrency, rounds=rounds)
            figures[name] = min(figures[name], cost)

        if concurrency >= 1000:
            for name, client in clients.items():
                async with client as call:
                    await measure(name, call, 3)
            return figures
        async with AsyncExitStack() as stack:
            ready = {name: await stack.enter_async_context(c) for name, c in clients.items()}
            for _ in range(5 if concurrency == 1 else 3):
                for name, call in ready.items():
                    await measure(name, call, 1)
    return figures


def http_calls() -> list[Row]:
    """Measure plain HTTP calls at rising concurrency, each level in a process of its own."""
    rows: list[Row] = []
    alone = 0.0
    for level in LEVELS:
        command = [sys.executable, "-m", "tests.benchmarks.run", "--level", str(level[0])]
        figures = json.loads(subprocess.check_output(command))  # noqa: S603 - ours
        balancer = figures["balancer"]
        alone = alone or balancer
        rows.append(
            (
                f"{level[0]:,}",
                _micro(figures.get("post")),
                _micro(figures["h11"]),
                _micro(figures["one"]),
                _micro(balancer),
                _micro(figures.get("race")),
                f"{1e6 / balancer:,.0f}",
                ratio(balancer, figures.get("post")),
                f"{balancer / alone:.2f}",
            )
        )
    return rows


def _micro(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


COMPLETION = trio_llm.Completion(trio_llm.Message("assistant", "hi"))


class Instant:
    """Answers at once."""

    async def generate(self, _request: trio_llm.Request) -> trio_llm.Completion:
        """Give the same completion every time."""
        return COMPLETION


class Failing:
    """Fails at once."""

    async def generate(self, _request: trio_llm.Request) -> str:
        """Raise a new error every time."""
        raise trio_llm.ServerError("out of order")


class Stalling:
    """Never answers."""

    async def generate(self, _request: trio_llm.Request) -> str:
        """Wait to be cancelled."""
        return await trio.sleep_forever()


async def router() -> list[Row]:
    """Measure the actors alone, over providers in this process."""
    tireless = trio_llm.CooldownSettings(after_failures=10**9)
    untimed = trio_llm.Timeouts(math.inf, math.inf, math.inf, math.inf)

    def local(name: str, provider: object, timeouts: trio_llm.Timeouts = untimed) -> Provider:
        return Provider("custom", name, cls=provider, cooldown=tireless, timeouts=timeouts)

    answer, fails, stalls = Instant(), Failing(), Stalling()
    first, second, third = local("a", answer), local("b", answer), local("c", answer)
    timed = local("a", answer, trio_llm.Timeouts())
    cases: dict[str, tuple[Member, str]] = {
        "one provider": (first, "-"),
        "one provider, with limits of time": (timed, "-"),
        "fallback, the primary answers": (Fallback([first, second]), "60"),
        "fallback, the second answers": (Fallback([local("a", fails), second]), "120"),
        "race of three, all answer": (Race([first, second, third]), "150"),
        "race of three, two are cancelled": (
            Race([first, local("b", stalls), local("c", stalls)]),
            "150",
        ),
    }
    rows: list[Row] = []
    for name, (member, target) in cases.items():
        async with through(member) as call:
            cost = await cpu_per_call(call, calls=2000, concurrency=1, rounds=5)
        rows.append((name, f"{cost:.0f}", target))
    return rows


async def streams() -> list[Row]:
    """Measure one streamed chunk in a burst."""
    rounds = 20
    with server(0.0) as port:
        url = f"http://127.0.0.1:{port}/v1/chat/completions"
        transport = httpx.AsyncHTTPTransport()

        async def bare() -> None:
            request = httpx.Request("POST", url, json={**QUESTION, "stream": True})
            response = await transport.handle_async_request(request)
            count = 0
            async for _ in response.aiter_raw():
                count += 1
            await response.aclose()

        plain = await cpu_per_call(bare, calls=rounds, concurrency=1) / CHUNKS
        await transport.aclose()
        member = Fallback([upstream("one", port), upstream("two", port)])
        async with trio_llm.open_runtime(Config(default=member)) as llm:

            async def ours() -> None:
                async with llm.stream("hi") as reply:
                    async for _ in reply:
                        pass

            through_balancer = await cpu_per_call(ours, calls=rounds, concurrency=1) / CHUNKS
    return [
        ("bare transport, bytes only", f"{plain:.1f}", "-"),
        ("through a balancer, decoded", f"{through_balancer:.1f}", "20"),
    ]


async def memory() -> list[Row]:
    """Measure the resident memory of a call in flight."""
    count = 1000
    with server(3600.0) as port:
        member = Fallback([upstream("one", port)], mailbox=4096)
        async with trio_llm.open_runtime(Config(default=member)) as llm:

            async def ask() -> None:
                await llm.generate("hi")

            async def in_flight(number: int) -> int:
                async with trio.open_nursery() as nursery:
                    before = resident()
                    for _ in range(number):
                        nursery.start_soon(ask)
                    while llm.status()[0].in_flight < number:
                        await trio.lowlevel.checkpoint()
                    await trio.sleep(1.0)
                    used = resident() - before
                    nursery.cancel_scope.cancel()
                return used

            await in_flight(20)
            used = await in_flight(count)
    return [("a call in flight, plain HTTP", f"{used / count / 1000:.1f}", "30")]


def imports() -> list[Row]:
    """Measure the import, in processes of its own."""
    program = (
        "import time; start = time.perf_counter(); import trio_llm; "
        "print((time.perf_counter() - start) * 1e3)"
    )
    times = [
        float(subprocess.check_output([sys.executable, "-c", program]))  # noqa: S603 - ours
        for _ in range(7)
    ]
    return [("import trio_llm", f"{statistics.median(times):.0f}", "200")]


async def tls() -> list[Row]:
    """Measure TLS: a call, and a race whose cancelled loser must connect anew."""
    rows: list[Row] = []
    authority = trustme.CA()
    with TemporaryDirectory() as folder:
        certificate = str(Path(folder, "server.pem"))
        trusted = str(Path(folder, "ca.pem"))
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
        authority.cert_pem.write_to_path(trusted)
        for scheme, pem in (("http", None), ("https", certificate)):
            with server(0.0, pem) as port:
                safe = trusted if pem else None
                async with through(upstream("one", port, authorities=safe)) as call:
                    one = await cpu_per_call(call, calls=400, concurrency=1)
                race = Race(
                    [
                        upstream("one", port, authorities=safe),
                        upstream("two", port, authorities=safe, model="never"),
                    ]
                )
                async with through(race) as call:
                    raced = await cpu_per_call(call, calls=200, concurrency=1)
            rows.append((scheme, f"{one:.0f}", f"{raced:.0f}"))
    return rows


def show(title: str, columns: Row, rows: list[Row], *, markdown: bool) -> None:
    """Print a table for people, or as Markdown."""
    if markdown:
        lines = [" | ".join(columns), " | ".join("---" for _ in columns)]
        lines += [" | ".join(row) for row in rows]
        print(f"\n**{title}**\n\n" + "\n".join(f"| {line} |" for line in lines))  # noqa: T201 - its purpose
        return
    table = Table(*columns, title=title, title_justify="left")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


Section = tuple[str, Row, Callable[[], list[Row]]]

SECTIONS: dict[str, Section] = {
    "http": (
        "One call over plain HTTP, µs of CPU",
        (
            "in flight",
            "AsyncClient.post",
            "bare h11",
            "one provider",
            "balancer",
            "race of three",
            "balancer calls per CPU-second",
            "balancer / post",
            "balancer / itself at 1",
        ),
        http_calls,
    ),
    "router": (
        "The actors alone, in-process providers, µs of CPU",
        ("call", "µs", "target"),
        lambda: trio.run(router),
    ),
    "streams": (
        "One streamed chunk in a burst, µs of CPU",
        ("client", "µs", "target"),
        lambda: trio.run(streams),
    ),
    "memory": ("Memory, kB", ("what", "kB", "target"), lambda: trio.run(memory)),
    "imports": ("Import, ms", ("what", "ms", "target"), imports),
    "tls": (
        "TLS on loopback, µs of CPU",
        ("scheme", "one call", "race with a cancelled loser"),
        lambda: trio.run(tls),
    ),
    "dialects": (
        "The dialects alone, µs of CPU (target of a chunk: 10), and times the JSON library",
        ("dialect", "request", "/ dumps", "reply", "/ loads", "chunk", "/ loads"),
        dialects,
    ),
    "wrappers": (
        "What each layer before the backend adds to a call, ns of CPU",
        ("layer", "ns"),
        lambda: trio.run(wrappers),
    ),
    "vectors": (
        "2,048 vectors of 1,536 numbers, ms of CPU",
        ("written as", "MB", "ms", "ratio"),
        vectors,
    ),
    "batch": (
        "Batches over simulated providers that answer at once, µs of CPU",
        ("calls", "µs a call", "calls per CPU-second", "/ generate"),
        lambda: trio.run(throughput),
    ),
    "hedging": (
        "10,000 calls of virtual time; 95 % take 20 ms, 5 % take 500 ms",
        ("tree of two", "p50, ms", "p95, ms", "p99, ms", "p99.9, ms", "extra calls"),
        tails,
    ),
    "orders": (
        "One call over three providers that answer at once, µs of CPU",
        ("order", "µs"),
        lambda: trio.run(orders),
    ),
    "caching": (
        "The cache and shared calls, over a provider that answers at once, µs of CPU",
        ("call", "µs", "added"),
        lambda: trio.run(caching),
    ),
    "store": (
        "Charges into a store, µs of CPU",
        ("store", "in a batch", "µs a charge", "a CPU-second", "a second", "/ executemany"),
        lambda: trio.run(store_throughput),
    ),
    "questions": (
        "CPU of questions to 65,536 charges of 50 users, and to 1,000 answers of 2 kB",
        (
            "store",
            "total, ms",
            "by day and user, ms",
            "the same, folded, ms",
            "find, µs",
            "keep, µs",
        ),
        lambda: trio.run(questions),
    ),
    "tools": (
        "Rounds of tools over a provider that answers at once, µs of CPU",
        ("call", "µs", "/ generate"),
        lambda: trio.run(tool_rounds),
    ),
    "telemetry": (
        "A call over providers that answer at once, with those who watch it, µs of CPU",
        ("who watches", "µs a call", "added"),
        lambda: trio.run(added),
    ),
    "accounts": (
        "What accounts add to a call over a provider that answers at once, µs of CPU (limit: 40)",
        ("what is on", "one at a time", "added", "ratio", "64 at once", "added"),
        lambda: trio.run(accounts),
    ),
    "logs": (
        "A call over providers that answer at once, with a log, µs of CPU",
        ("level", "µs a call", "added"),
        lambda: trio.run(logged),
    ),
    "scrapes": (
        "Reading the metrics of 50 models, µs of CPU",
        ("what", "µs", "kB"),
        lambda: trio.run(scrapes),
    ),
}


def main() -> None:
    """Measure the sections asked for, or all, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", choices=[[], *SECTIONS], help="default: all")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--level", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if given.level is not None:
        level = next(level for level in LEVELS if level[0] == given.level)
        print(json.dumps(trio.run(http_level, *level)))  # noqa: T201 - the parent reads it
    elif len(given.sections) == 1:
        title, columns, measure = SECTIONS[given.sections[0]]
        show(title, columns, measure(), markdown=given.markdown)
    else:
        started = time.perf_counter()
        for name in given.sections or SECTIONS:
            command = [sys.executable, "-m", "tests.benchmarks.run", name]
            subprocess.check_call([*command, "--markdown"] if given.markdown else command)  # noqa: S603 - ours
        print(f"\nmeasured in {time.perf_counter() - started:.0f} s")  # noqa: T201 - its purpose


if __name__ == "__main__":
    main()

"""What the accounts add to a call: CPU alone, over a provider that answers at once."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import trio

import trio_llm
from tests.benchmarks.measure import Call, Row, cpu_per_call
from trio_llm import (
    Budget,
    CacheSettings,
    Completion,
    Config,
    Cost,
    Message,
    PriceSettings,
    Provider,
    Request,
    StoreSettings,
    TelemetrySettings,
    Usage,
)
from trio_llm.chat import NOTHING, Subject
from trio_llm.ledger import Entry

CALLS = 400
ROUNDS = 10
_ANSWER = Completion(Message("assistant", "hi"), usage=Usage(900, 100, 500))
_ENTRY = Entry(Subject("one", "custom", "bench"), 1)
_BUDGETS = {per: Budget(limit=1e6, per=per) for per in ("runtime", "provider", "model", "user")}


class _Answers:
    """A provider that answers at once."""

    async def generate(self, _request: Request) -> Completion:
        """Give the same completion every time."""
        await trio.lowlevel.checkpoint()
        return _ANSWER


class _NoBooks:
    """Books nothing, so that what booking costs can be told."""

    kind = "custom"

    def opened(self, *_call: object) -> Entry:
        """Give the same entry every time."""
        return _ENTRY

    async def secured(self, _entry: Entry) -> None:
        """Nothing is to be secured."""

    def succeeded(self, *_attempt: object) -> Cost | None:
        """Book nothing."""
        return NOTHING

    def release(self, _entry: Entry) -> None:
        """Nothing was set aside."""


def _cases(folder: str) -> Mapping[str, dict[str, Any]]:
    def stored(name: str) -> StoreSettings:
        return StoreSettings(path=str(Path(folder, name)))

    metrics = TelemetrySettings(metrics=True)
    cache = CacheSettings(mode="on")
    one = {"all": _BUDGETS["runtime"]}
    return {
        "nothing is booked": {},
        "every attempt is booked": {},
        "and one budget": {"budgets": one},
        "and four budgets": {"budgets": _BUDGETS},
        "and a cache that misses": {"cache": cache},
        "and metrics": {"telemetry": metrics},
        "all of it: a budget, a cache that misses, metrics": {
            "budgets": one,
            "cache": cache,
            "telemetry": metrics,
        },
        "a store on disk": {"store": stored("usage.db")},
        "a store on disk, and one budget": {"store": stored("budget.db"), "budgets": one},
    }


@asynccontextmanager
async def _calls(name: str, settings: dict[str, Any]) -> AsyncGenerator[Call, None]:
    provider = Provider(
        "custom",
        "one",
        cls=_Answers(),
        model="bench",
        price=PriceSettings(input=2.0, output=10.0),
        max_concurrency=256,
    )
    numbers = count()
    async with trio_llm.open_runtime(Config(default=provider, **settings)) as llm:
        if name == "nothing is booked":
            node: Any = llm._look_up()  # pyright: ignore[reportPrivateUsage]
            node._attempts.bookings = _NoBooks()

        async def call() -> object:
            return await llm.generate(f"hi {next(numbers)}", user="ada")

        yield call


async def accounts() -> list[Row]:
    """Measure a call with more and more accounts open, beside one that is not booked."""
    with TemporaryDirectory() as folder:
        cases = _cases(folder)
        costs = dict.fromkeys(cases, float("inf"))
        many = dict.fromkeys(cases, float("inf"))
        async with AsyncExitStack() as stack:
            calls = {
                name: await stack.enter_async_context(_calls(name, settings))
                for name, settings in cases.items()
            }
            # They take turns, so that a machine that slows down slows all of them.
            for _ in range(ROUNDS):
                for name, call in calls.items():
                    one = await cpu_per_call(call, calls=CALLS, concurrency=1, rounds=1)
                    costs[name] = min(costs[name], one)
                    more = await cpu_per_call(call, calls=CALLS, concurrency=64, rounds=1)
                    many[name] = min(many[name], more)
    alone, beside = costs["nothing is booked"], many["nothing is booked"]
    rows: list[Row] = []
    for name, cost in costs.items():
        single = (f"{cost:.0f}", f"{cost - alone:.1f}", f"{cost / alone:.2f}")
        rows.append((name, *single, f"{many[name]:.0f}", f"{many[name] - beside:.1f}"))
    return rows

"""What the cache and shared calls cost: CPU alone, over a provider that answers at once."""

import math
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import trio

import trio_llm
from tests.benchmarks.measure import Call, Row, cpu_per_call
from trio_llm import CacheSettings, Completion, Config, CooldownSettings, Message, Provider, Request
from trio_llm.config import StoreSettings

WORDS = "A nursery keeps its children until the last one is done. " * 8
CALLS = 1000
TOGETHER = 10
_ANSWER = Completion(Message("assistant", WORDS))


class _Instant:
    """Answers at once."""

    async def generate(self, _request: Request) -> Completion:
        """Give the same completion every time."""
        return _ANSWER


def _config(cache: CacheSettings, path: str | None = None) -> Config:
    untimed = trio_llm.Timeouts(math.inf, math.inf, math.inf, math.inf)
    tireless = CooldownSettings(after_failures=10**9)
    provider = Provider("custom", "a", cls=_Instant(), timeouts=untimed, cooldown=tireless)
    return Config(default=provider, cache=cache, store=StoreSettings(path))


async def _cost(config: Config, *, hits: bool = False, streaming: bool = False) -> float:
    """Measure a call: always the same question, or each time another."""
    async with trio_llm.open_runtime(config) as llm:
        numbers = count()

        async def plain() -> None:
            await llm.generate("hi" if hits else str(next(numbers)))

        async def stream() -> None:
            async with llm.stream("hi" if hits else str(next(numbers))) as reply:
                async for _ in reply:
                    pass

        call: Call = stream if streaming else plain
        return await cpu_per_call(call, calls=CALLS, concurrency=1, rounds=5)


async def _together(config: Config) -> float:
    """Measure a call of several who ask the same at once."""
    async with trio_llm.open_runtime(config) as llm:
        numbers = count()

        async def call() -> None:
            prompt = str(next(numbers))
            async with trio.open_nursery() as nursery:
                for _ in range(TOGETHER):
                    nursery.start_soon(llm.generate, prompt)

        each = await cpu_per_call(call, calls=CALLS // TOGETHER, concurrency=1, rounds=5)
        return each / TOGETHER


async def caching() -> list[Row]:
    """Measure hits, misses and shared calls beside the same calls without either."""
    off, on = CacheSettings(), CacheSettings(mode="on", entries=10**6)
    shared = CacheSettings(single_flight=True)
    lasting = CacheSettings(mode="on", persistent=True, entries=10**6)
    rows: list[tuple[str, float, float]] = []
    with TemporaryDirectory() as folder:
        plain = await _cost(_config(off))
        streamed = await _cost(_config(off), streaming=True)
        together = await _together(_config(off))
        disk = str(Path(folder, "off.db"))
        written = await _cost(_config(off, disk))
        rows += [
            ("a call, no cache", plain, plain),
            ("a hit in memory", await _cost(_config(on), hits=True), plain),
            ("a miss in memory, and the answer kept", await _cost(_config(on)), plain),
            ("a stream, no cache", streamed, streamed),
            ("a stream replayed", await _cost(_config(on), hits=True, streaming=True), streamed),
            ("a stream kept", await _cost(_config(on), streaming=True), streamed),
            ("a call, usage on disk, no cache", written, written),
        ]
        for name, hits in (("a hit on disk", True), ("a miss on disk, and the answer kept", False)):
            path = str(Path(folder, f"{hits}.db"))
            rows.append((name, await _cost(_config(lasting, path), hits=hits), written))
        rows += [
            ("a call that nobody else shares", await _cost(_config(shared)), plain),
            (f"one of {TOGETHER} who ask the same, each by itself", together, together),
            (f"one of {TOGETHER} who share a call", await _together(_config(shared)), together),
        ]
    return [(name, f"{cost:.0f}", f"{cost - beside:+.0f}") for name, cost, beside in rows]

"""Hedging: where one call in twenty is slow, the next member is asked as well.

Both members answer in 20 ms, and now and then in half a second. How late is too late is
learnt from the calls themselves; at most a tenth of them may be asked twice.
"""

import random

import trio

import trio_llm
from trio_llm.events import Event, HedgeStarted

CALLS = 800
CALLERS = 20


class Moody:
    """Answers soon, and one time in twenty late."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)  # noqa: S311 - a simulation

    async def generate(self, _request: trio_llm.Request) -> str:
        """Take 20 ms, or half a second."""
        await trio.sleep(0.5 if self._rng.random() < 0.05 else 0.02)
        return "here it is"


async def measure(name: str, tree: trio_llm.Fallback | trio_llm.Hedge) -> None:
    """Ask many times, many callers at once, and print how slow the slow ones are."""
    latencies: list[float] = []
    hedges: list[Event] = []

    def observe(event: Event) -> None:
        if isinstance(event, HedgeStarted):
            hedges.append(event)

    async def caller() -> None:
        for _ in range(CALLS // CALLERS):
            reply = await llm.generate("now, please")
            latencies.append(reply.latency)

    async with trio_llm.open_runtime(trio_llm.Config(default=tree)) as llm:
        llm.subscribe(observe)
        async with trio.open_nursery() as nursery:
            for _ in range(CALLERS):
                nursery.start_soon(caller)
    latencies.sort()
    half, most = latencies[CALLS // 2], latencies[CALLS * 97 // 100]
    print(
        f"{name:>8}: half within {half * 1000:.0f} ms, 97 of 100 within {most * 1000:.0f} ms, "
        f"{len(hedges) / CALLS:.0%} asked twice"
    )


async def main() -> None:
    """Measure the same two members in a fallback and in a hedge."""
    members = [
        trio_llm.Provider("custom", name, cls=Moody(seed))
        for seed, name in enumerate(("first", "second"))
    ]
    await measure("fallback", trio_llm.Fallback(members))
    await measure("hedge", trio_llm.Hedge(members))
    async with trio_llm.open_runtime(
        trio_llm.Config(default=trio_llm.Hedge(members, delay=0.0))
    ) as llm:
        reply = await llm.generate("order a pizza", side_effects=True)
    print(f"a call with side effects was asked of {len(reply.attempts)} member")


if __name__ == "__main__":
    trio.run(main)

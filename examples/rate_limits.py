"""Rate limits: calls wait their turn, go to another provider, or are told how long it would be."""

from collections import Counter

import trio

import trio_llm

QUICK = trio_llm.Simulation(latency=0.01)
CONFIG = trio_llm.Config(
    providers={
        # Ten requests a second, and at most six seconds' worth of them at once.
        "small": trio_llm.Provider(
            "simulated",
            simulation=QUICK,
            max_concurrency=100,
            rate_limit=trio_llm.RateLimit(requests_per_minute=600, tokens_per_minute=1_000_000),
        ),
        "strict": trio_llm.Provider(
            "simulated",
            simulation=QUICK,
            rate_limit=trio_llm.RateLimit(requests_per_minute=1, on_limit="fall_on"),
        ),
        "large": trio_llm.Provider("simulated", simulation=QUICK),
    },
    default=trio_llm.Fallback(("strict", "large"), name="spread"),
)


async def wait_in_line(llm: trio_llm.Runtime) -> None:
    """Send eighty calls at once to a provider that takes ten in a second."""
    small = llm.provider("small")
    started = trio.current_time()
    async with trio.open_nursery() as nursery:
        for number in range(80):
            nursery.start_soon(small.generate, f"question {number}")
        await trio.sleep(0.05)
        status = small.status_of()
        print(f"60 of 80 calls began at once, {status.queued} wait in line")
    print(f"all were answered after {trio.current_time() - started:.1f} s")


async def go_elsewhere(llm: trio_llm.Runtime) -> None:
    """Let calls beyond the limit of the first member go to the second."""
    who = Counter[str]()
    for number in range(5):
        who[(await llm.generate(f"question {number}")).provider] += 1
    print(f"strict answered {who['strict']}, large answered {who['large']}")


async def be_told(llm: trio_llm.Runtime) -> None:
    """Ask one that has nothing left: there is no attempt, and the error says how long."""
    try:
        await llm.provider("strict").generate("once more")
    except trio_llm.ProviderUnavailableError as error:
        print(f"{error.code}: try again in {error.retry_after or 0:.0f} s")


async def main() -> None:
    """Show all three."""
    async with trio_llm.open_runtime(CONFIG) as llm:
        await wait_in_line(llm)
        await go_elsewhere(llm)
        await be_told(llm)


if __name__ == "__main__":
    trio.run(main)

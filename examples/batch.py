"""Batch: many prompts, a few at once, an outcome for each.

The prompts come from a generator and are read as places become free, so there may be
any number of them.
"""

from collections.abc import Iterator

import trio

import trio_llm

CONFIG = trio_llm.Config(
    default=trio_llm.Provider(
        "simulated",
        "sim",
        simulation=trio_llm.Simulation(latency=0.02, jitter=0.04, failure_rate=0.15, seed=3),
        retry=trio_llm.Retry(attempts=2, base_delay=0.01),
        cooldown=trio_llm.CooldownSettings(after_failures=100),
    )
)

read = 0


def prompts() -> Iterator[str]:
    """Give prompts without end, one of them empty, and count how many were wanted."""
    global read  # noqa: PLW0603 - it shows how lazily they are read
    while True:
        read += 1
        yield "" if read == 4 else f"What is {read} times {read}?"


async def main() -> None:
    """Take twenty outcomes, and leave the rest."""
    good = bad = 0
    async with trio_llm.open_runtime(CONFIG) as llm:
        async with llm.batch(prompts(), limit=5, ordered=True, max_tokens=40) as results:
            async for index, outcome in results:
                if isinstance(outcome, trio_llm.Reply):
                    good += 1
                else:
                    bad += 1
                    print(f"prompt {index}: {type(outcome).__name__}: {outcome}")
                if index == 19:
                    break
        enough = "no more than 30" if read <= 30 else "too many"
        print(f"{good + bad} outcomes, {enough} were read")
        print(f"still in flight: {llm.status_of().in_flight}")


if __name__ == "__main__":
    trio.run(main)

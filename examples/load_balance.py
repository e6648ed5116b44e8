"""A load balance: each call goes to one member, in shares that were asked for."""

from collections import Counter

import trio

import trio_llm

CONFIG = trio_llm.Config(
    providers={
        name: trio_llm.Provider("simulated", simulation=trio_llm.Simulation(latency=0.01))
        for name in ("large", "medium", "small")
    },
    default=trio_llm.LoadBalance(
        ("large", "medium", "small"),
        strategy="weighted",
        weights={"large": 0.5, "medium": 0.3, "small": 0.2},
        name="spread",
    ),
)


async def main() -> None:
    """Send a hundred calls at once and count who answered."""
    answered: Counter[str] = Counter()

    async def ask(number: int) -> None:
        reply = await llm.generate(f"question {number}")
        answered[reply.provider] += 1

    async with trio_llm.open_runtime(CONFIG) as llm:
        async with trio.open_nursery() as nursery:
            for number in range(100):
                nursery.start_soon(ask, number)
        shares = llm.statistics().distribution
    for name in ("large", "medium", "small"):
        print(
            f"{name:>6}: {answered[name]:3} calls, share {shares[name]:.2f} {'#' * answered[name]}"
        )


if __name__ == "__main__":
    trio.run(main)

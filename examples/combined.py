"""Balancers nest: a fallback over a race of two load balances, and a last resort.

::

    reliable            fallback
    ├── fast            race
    │   ├── east        load balance over east-1, east-2
    │   └── west        load balance over west-1, west-2
    └── last-resort     a provider
"""

import trio

import trio_llm


def simulated(latency: float, failure_rate: float = 0.0) -> trio_llm.Provider:
    """Give a simulated provider."""
    return trio_llm.Provider(
        "simulated",
        simulation=trio_llm.Simulation(latency=latency, failure_rate=failure_rate),
    )


def configuration(failure_rate: float) -> trio_llm.Config:
    """Give the tree above; members of the race fail at this rate."""
    return trio_llm.Config(
        providers={
            "east-1": simulated(0.05, failure_rate),
            "east-2": simulated(0.06, failure_rate),
            "west-1": simulated(0.08, failure_rate),
            "west-2": simulated(0.09, failure_rate),
            "last-resort": simulated(0.2),
        },
        balancers={
            "east": trio_llm.LoadBalance(("east-1", "east-2")),
            "west": trio_llm.LoadBalance(("west-1", "west-2")),
            "fast": trio_llm.Race(("east", "west"), timeout=1.0),
            "reliable": trio_llm.Fallback(("fast", "last-resort")),
        },
        default="reliable",
    )


async def main() -> None:
    """Ask on a good day and on a bad one."""
    for day, failure_rate in (("good", 0.0), ("bad", 1.0)):
        async with trio_llm.open_runtime(configuration(failure_rate)) as llm:
            reply = await llm.generate("Is anybody there?")
        print(f"on a {day} day {reply.provider} answers after {reply.latency:.2f} s")
        for attempt in reply.attempts:
            print(f"  {' > '.join(attempt.path)}: {attempt.outcome.value}")


if __name__ == "__main__":
    trio.run(main)

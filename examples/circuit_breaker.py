"""A circuit breaker: a broken provider is left alone, tried with one call, and used again."""

from collections import Counter

import trio

import trio_llm
from trio_llm.events import BreakerChanged, Event, ProviderRecovered


class House:
    """A server of one's own that is down for a while."""

    def __init__(self) -> None:
        self.down = False
        self.asked = 0

    async def generate(self, request: trio_llm.Request) -> str:
        """Answer, unless it is down."""
        self.asked += 1
        await trio.sleep(0.02)
        if self.down:
            raise trio_llm.ServerError("out of order")
        return f"answered {request.messages[-1].text!r}"


HOUSE = House()
CONFIG = trio_llm.Config(
    providers={
        "house": trio_llm.Provider(
            "custom",
            cls=HOUSE,
            # Two failures in a row open the breaker; it rests for half a second, and
            # twice as long each time that the call which tries it fails.
            cooldown=trio_llm.CooldownSettings(initial=0.5, after_failures=2),
        ),
        "spare": trio_llm.Provider("simulated", simulation=trio_llm.Simulation(latency=0.02)),
    },
    default=trio_llm.Fallback(("house", "spare"), name="reliable"),
)


def show(event: Event) -> None:
    """Print what happens to the breaker."""
    if isinstance(event, BreakerChanged):
        print(f"  [{event.actor}: {event.old} -> {event.new}: {event.reason}]")
    elif isinstance(event, ProviderRecovered):
        print(f"  [{event.actor} is back after {event.after_seconds:.1f} s]")


async def burst(llm: trio_llm.Runtime, when: str) -> None:
    """Ask ten times at once, and say who answered."""
    before, answered = HOUSE.asked, Counter[str]()

    async def ask() -> None:
        answered[(await llm.generate("hello")).provider] += 1

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(ask)
    print(f"{when}: house {answered['house']}, spare {answered['spare']}", end="")
    print(f"; house was asked {HOUSE.asked - before} times")


async def main() -> None:
    """Break the house, wait, mend it, wait, and watch."""
    async with trio_llm.open_runtime(CONFIG) as llm:
        llm.subscribe(show)
        await burst(llm, "in good order")
        HOUSE.down = True
        await burst(llm, "it breaks")
        await burst(llm, "it rests")
        await trio.sleep(0.6)
        await burst(llm, "one call tries it")
        HOUSE.down = False
        await trio.sleep(1.2)
        await burst(llm, "one call tries it again")
        await burst(llm, "in good order")


if __name__ == "__main__":
    trio.run(main)

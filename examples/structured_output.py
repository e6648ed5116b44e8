"""Answers as typed objects: whole, and part by part while they are written.

The schema comes from the class. A provider that has a JSON schema of its own is given
it; any other is asked by a tool that it must call, or in words.
"""

import attrs
import trio

import trio_llm


@attrs.frozen
class Stop:
    """One stop of a journey.

    Attributes:
        city: Where it is.
        nights: How many nights to stay.
    """

    city: str
    nights: int


@attrs.frozen
class Journey:
    """A journey by train."""

    title: str
    stops: list[Stop]
    by_night: bool = False


ANSWERS = (
    '{"title": "North", "stops": [{"city": "Oslo", "nights": "two"}]}',
    '{"title": "North", "stops": [{"city": "Oslo", "nights": 2}]}',
)


class Agent:
    """Stands in for a model: its first answer does not fit, the second does."""

    def __init__(self) -> None:
        self._answers = iter(ANSWERS)

    async def generate(self, _request: trio_llm.Request) -> str:
        """Answer in JSON."""
        await trio.lowlevel.checkpoint()
        return next(self._answers)


WRITER = trio_llm.Provider(
    "simulated",
    simulation=trio_llm.Simulation(
        latency=0.05,
        gap=0.01,
        chunks=6,
        text='{"title": "South", "stops": [{"city": "Rome", "nights": 3}], "by_night": true}',
    ),
)


async def main() -> None:
    """Ask for a journey; then watch another one being written."""
    config = trio_llm.Config(
        providers={"agent": trio_llm.Provider("custom", cls=Agent), "writer": WRITER},
        default="agent",
    )
    async with trio_llm.open_runtime(config) as llm:
        replies: list[trio_llm.Reply] = []
        journey = await llm.generate_as(Journey, "Plan a journey.", on_reply=replies.append)
        print(f"{journey.title}: {journey.stops[0]} after {len(replies)} replies")

        async with llm.provider("writer").stream_as(Journey, "Plan another one.") as stream:
            async for part in stream:
                print(f"so far: {part}")
        print(f"at last: {stream.value}")


if __name__ == "__main__":
    trio.run(main)

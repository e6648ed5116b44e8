"""Single flight: callers who ask the same at the same time share one call."""

import math

import trio

import trio_llm

STORY = "Once upon a time there was a task."
AUTHOR = trio_llm.Simulation(latency=0.2, chunks=6, gap=0.2, text=STORY)


async def main() -> None:
    """Let several readers ask for one story, each with its own patience."""
    config = trio_llm.Config(
        default=trio_llm.Provider("simulated", "author", simulation=AUTHOR),
        cache=trio_llm.CacheSettings(single_flight=True),
    )
    async with trio_llm.open_runtime(config) as llm:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read, llm, "early", 0.0, 0.5)
            nursery.start_soon(read, llm, "punctual", 0.05)
            nursery.start_soon(read, llm, "late", 0.7)
        print("the author was asked", llm.statistics().calls.attempts, "time")
        print("readers who shared:", llm.cache.statistics().shared)

        # The last one to leave ends the call.
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read, llm, "one", 0.0, 0.15)
            nursery.start_soon(read, llm, "two", 0.0, 0.25)
        print("still in flight:", llm.status()[0].in_flight)


async def read(llm: trio_llm.Runtime, name: str, after: float, patience: float = math.inf) -> None:
    """Read the story to its end, or for as long as there is patience."""
    await trio.sleep(after)
    with trio.move_on_after(patience):
        async with llm.stream("Tell me a story.") as stream:
            text = "".join([piece async for piece in stream.text()])
            how = stream.reply.cached or "its own"
            print(f"{name}: {text} [{how}, {stream.reply.latency:.1f} s]")
            return
    print(f"{name}: left after {patience} s")


if __name__ == "__main__":
    trio.run(main)

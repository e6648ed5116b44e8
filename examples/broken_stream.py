"""A stream breaks in the middle, and another provider goes on: restarted, or resumed."""

from collections.abc import AsyncGenerator

import trio

import trio_llm

WHOLE = "A nursery keeps its children until the last one is done."


class Fragile:
    """Gives the first half of an answer, and breaks."""

    async def generate(self, _request: trio_llm.Request) -> str:
        """Answer in one piece, which goes well."""
        return WHOLE

    async def stream(self, _request: trio_llm.Request) -> AsyncGenerator[str, None]:
        """Break off in the middle."""
        yield "A nursery keeps "
        await trio.sleep(0.05)
        yield "its children "
        await trio.sleep(0.05)
        raise trio_llm.ServerError("out of breath")


CONFIG = trio_llm.Config(
    default=trio_llm.Fallback(
        [
            trio_llm.Provider("custom", "fragile", cls=Fragile),
            # A simulated provider can go on with an answer that has begun.
            trio_llm.Provider("simulated", "steady", simulation=trio_llm.Simulation(text=WHOLE)),
        ]
    )
)


async def show(llm: trio_llm.Runtime, policy: trio_llm.OnInterrupt) -> None:
    """Print a stream as it comes."""
    print(f"{policy.value}: ", end="")
    try:
        async with llm.stream("What is a nursery?", on_interrupt=policy) as stream:
            async for event in stream:
                if isinstance(event, trio_llm.TextDelta):
                    print(event.text, end="")
                elif isinstance(event, trio_llm.Switched):
                    print(f"[{event.failed} broke, {event.provider} goes on] ", end="")
        print(f"\n  the reply, by {stream.reply.provider}: {stream.reply.text}")
    except trio_llm.StreamInterruptedError as error:
        print(f"\n  an error, with the text so far: {error.partial_text!r}")


async def main() -> None:
    """Let the same stream break three times."""
    async with trio_llm.open_runtime(CONFIG) as llm:
        for policy in trio_llm.OnInterrupt:
            await show(llm, policy)


if __name__ == "__main__":
    trio.run(main)

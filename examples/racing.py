"""A race: everybody is asked at once, the first useful answer wins, the rest is cancelled.

With keys in the environment the race is among the real providers.
"""

import attrs
import trio

import trio_llm


async def main() -> None:
    """Race all providers, and show how each attempt ended."""
    config = attrs.evolve(trio_llm.load_config(), default=trio_llm.Race(name="fastest"))
    async with trio_llm.open_runtime(config) as llm:
        reply = await llm.generate("Who is quickest?", max_tokens=50)
    print(reply.text)
    print(f"winner: {reply.metadata['racing_winner']}, {reply.metadata['racing_latency_ms']} ms")
    for attempt in reply.attempts:
        # Losers have left before the reply is given: this list is complete.
        why = f" ({attempt.reason})" if attempt.reason else ""
        print(f"  {attempt.provider}: {attempt.outcome.value} at {attempt.latency:.2f} s{why}")


if __name__ == "__main__":
    trio.run(main)

"""Token counts: exact where the provider counts, else an estimate that learns.

The class below bills a token for every three letters and offers no count of its own.
After a few answers the estimate has found that out.
"""

import trio

import trio_llm

PROMPT = "Say in one sentence what a nursery does. " * 40


class Terse:
    """Answers, and says what that was billed."""

    async def generate(self, request: trio_llm.Request) -> trio_llm.Completion:
        """Answer after a while."""
        await trio.sleep(0.01)
        letters = sum(len(message.text) for message in request.messages)
        return trio_llm.Completion(
            trio_llm.Message("assistant", "It waits."), usage=trio_llm.Usage(letters // 3, 3)
        )


CONFIG = trio_llm.Config(
    providers={
        "counts": trio_llm.Provider("simulated", simulation=trio_llm.Simulation(latency=0.01)),
        "terse": trio_llm.Provider("custom", cls=Terse),
    },
    default="terse",
)


def show(when: str, count: trio_llm.TokenCount) -> None:
    """Print a count, and how much to believe of it."""
    if count.exact:
        trust = "exact"
    elif count.error is None:
        trust = "an estimate"
    else:
        trust = f"an estimate, lately {count.error:.0%} off"
    print(f"{when}: {count.tokens} tokens ({trust})")


async def main() -> None:
    """Count with a provider that can, and with one that cannot, before and after answers."""
    async with trio_llm.open_runtime(CONFIG) as llm:
        show("counted by the provider", await llm.provider("counts").count_tokens(PROMPT))
        show("before any answer", await llm.count_tokens(PROMPT))
        for length in range(200, 1600, 100):
            await llm.generate(PROMPT[:length])
        show("after some answers", await llm.count_tokens(PROMPT))
        billed = (await llm.generate(PROMPT)).usage.input_tokens
        print(f"billed in the end: {billed}")


if __name__ == "__main__":
    trio.run(main)

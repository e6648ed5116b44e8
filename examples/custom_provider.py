"""A provider of one's own: a class with one async method is enough.

It is balanced, cooled down, counted and cancelled like any other. What it raises
harms only its own request.
"""

import trio

import trio_llm


class Dictionary:
    """Answers what it knows, and raises a plain KeyError otherwise."""

    def __init__(self, **entries: str) -> None:
        self._entries = entries

    async def generate(self, request: trio_llm.Request) -> str:
        """Look the last message up."""
        await trio.sleep(0.01)
        return self._entries[request.messages[-1].text]


CONFIG = trio_llm.Config(
    providers={
        "dictionary": trio_llm.Provider(
            "custom",
            cls=Dictionary,
            options={"actor": "one that acts", "nursery": "where tasks grow up"},
        ),
        "model": trio_llm.Provider("simulated", simulation=trio_llm.Simulation(latency=0.05)),
    },
    default=trio_llm.Fallback(("dictionary", "model"), name="lookup"),
)


async def main() -> None:
    """Ask what the dictionary knows, and what it does not."""
    async with trio_llm.open_runtime(CONFIG) as llm:
        for word in ("actor", "nursery", "monad"):
            reply = await llm.generate(word)
            failed = [f"{a.provider}: {a.error}" for a in reply.attempts if a.error]
            print(f"{word}: {reply.text} [{', '.join([*failed, reply.provider])}]")


if __name__ == "__main__":
    trio.run(main)

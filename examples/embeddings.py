"""Embeddings: texts become vectors, and the nearest ones are found.

A fallback stays inside one model family, since vectors of two cannot be compared: a
member that embeds with another model is not asked, and the error says so.
"""

import trio

import trio_llm

NOTES = (
    "A nursery keeps its tasks until all of them are done.",
    "An actor has a mailbox and handles one message at a time.",
    "Bread rises because yeast makes gas.",
)

BROKEN = trio_llm.Simulation(latency=0.0, failure_rate=1.0)
QUICK = trio_llm.Simulation(latency=0.02)

CONFIG = trio_llm.Config(
    providers={
        "first": trio_llm.Provider("simulated", simulation=BROKEN),
        "stranger": trio_llm.Provider(
            "simulated", simulation=QUICK, embedding_model="another-family"
        ),
        "second": trio_llm.Provider("simulated", simulation=QUICK),
    },
    balancers={"pair": trio_llm.Fallback(("first", "stranger"))},
    default=trio_llm.Fallback(("first", "stranger", "second"), name="vectors"),
)


def alike(left: tuple[float, ...], right: tuple[float, ...]) -> float:
    """Give the cosine of two vectors of length 1."""
    return sum(a * b for a, b in zip(left, right, strict=True))


async def main() -> None:
    """Search three notes, then ask a family of which only a broken provider is left."""
    async with trio_llm.open_runtime(CONFIG) as llm:
        notes = await llm.embed(NOTES, purpose="document")
        question = (await llm.embed("What does an actor do with a message?", purpose="query"))[0]
        for score, note in sorted(
            ((alike(vector, question), note) for vector, note in zip(notes, NOTES, strict=True)),
            reverse=True,
        ):
            print(f"{score:5.2f}  {note}")
        print(f"-- {len(notes)} vectors of {notes.dimensions}, by {notes.provider}")
        try:
            await llm.provider("pair").embed("anything")
        except trio_llm.AllProvidersFailed as failed:
            for error in failed.errors:
                print(f"-- {error}")


if __name__ == "__main__":
    trio.run(main)

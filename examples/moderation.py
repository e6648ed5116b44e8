"""Moderation: every text is judged before a model sees it, and no failure means *safe*.

A fallback asks the second judge when the first one fails. When both fail, the question
is not asked at all: a result means that somebody has judged.
"""

import trio

import trio_llm

BROKEN = trio_llm.Simulation(latency=0.0, failure_rate=1.0)


class HouseRules:
    """A judge of one's own: it minds shouting."""

    async def generate(self, request: trio_llm.Request) -> str:
        """Answer in the manner of the house."""
        await trio.lowlevel.checkpoint()
        return f"Well asked: {request.messages[-1].text!r}"

    async def moderate(self, request: trio_llm.ModerateRequest) -> list[trio_llm.Verdict]:
        """Judge each text."""
        await trio.sleep(0.01)
        loud = [text.isupper() for text in request.texts]
        return [trio_llm.Verdict(flagged=yes, categories={"shouting": yes}) for yes in loud]


CONFIG = trio_llm.Config(
    providers={
        "broken": trio_llm.Provider("simulated", simulation=BROKEN),
        "house": trio_llm.Provider("custom", cls=HouseRules),
    },
    balancers={
        "judges": trio_llm.Fallback(("broken", "house")),
        "no-judge": trio_llm.Fallback(("broken",)),
    },
    default="house",
)


async def guarded(llm: trio_llm.Runtime, judge: str, text: str) -> str:
    """Ask only what the judge lets pass."""
    try:
        moderation = await llm.provider(judge).moderate(text)
    except trio_llm.AllProvidersFailed as failed:
        return f"not asked, since nobody has judged ({failed.errors[0]})"
    if moderation.flagged:
        return f"not asked: {', '.join(sorted(moderation.categories))}"
    reply = await llm.generate(text)
    return f"{reply.text} (judged by {moderation.provider})"


async def main() -> None:
    """Ask quietly, ask loudly, and ask where nobody can judge."""
    async with trio_llm.open_runtime(CONFIG) as llm:
        for judge, text in (
            ("judges", "What is an actor?"),
            ("judges", "WHAT IS AN ACTOR?"),
            ("no-judge", "What is an actor?"),
        ):
            print(f"{judge:>8}  {text}  ->  {await guarded(llm, judge, text)}")


if __name__ == "__main__":
    trio.run(main)

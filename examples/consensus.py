"""Consensus: several providers answer, and what most of them agree on is the answer."""

import trio

import trio_llm


def member(name: str, latency: float, text: str) -> trio_llm.Provider:
    """Give a provider that says the same thing every time."""
    simulation = trio_llm.Simulation(latency=latency, text=text)
    return trio_llm.Provider("simulated", name, simulation=simulation)


PANEL = (
    member("careful", 0.15, "Canberra"),
    member("brief", 0.1, "canberra."),
    member("hasty", 0.05, "Sydney"),
    member("slow", 30.0, "It is Canberra, as far as I know."),
)


async def main() -> None:
    """Ask the panel; let one vote count more; ask for too many votes."""
    vote = trio_llm.Consensus(PANEL, quorum=3, name="panel")
    async with trio_llm.open_runtime(trio_llm.Config(default=vote)) as llm:
        reply = await llm.generate("What is the capital of Australia?")
    print(f"{reply.text}, says {reply.metadata['consensus_provider']}")
    for group in reply.metadata["consensus_votes"]:
        print(f"  {' and '.join(group['names'])}: {group['weight']:g}")
    print(f"share: {reply.metadata['consensus_share']:.0%} of the votes that were cast")
    # The fourth vote could change nothing any more, so nobody has waited for it.
    print(f"slow: {reply.attempts[3].outcome.value} ({reply.attempts[3].reason})")

    weights = {"hasty": 1.0, "careful": 0.2, "brief": 0.3}
    weighted = trio_llm.Consensus(PANEL[:3], strategy="weighted", weights=weights)
    async with trio_llm.open_runtime(trio_llm.Config(default=weighted)) as llm:
        reply = await llm.generate("What is the capital of Australia?")
    print(f"by weight: {reply.text}")

    strict = trio_llm.Consensus(PANEL, quorum=4, timeout=0.5, name="strict")
    async with trio_llm.open_runtime(trio_llm.Config(default=strict)) as llm:
        try:
            await llm.generate("What is the capital of Australia?")
        except trio_llm.AllProvidersFailed as error:
            print(error)


if __name__ == "__main__":
    trio.run(main)

"""A rule of one's own: which member of a load balance takes a call.

A rule is any object with a method `order` over the request and how the members fare. What
cannot serve the request at all is not shown to it, and whoever it names first gets the
call if it can take it.
"""

from collections.abc import Sequence

import trio

import trio_llm


class HouseRule:
    """Keeps what is confidential in the house; the rest goes to whoever is least busy."""

    def order(
        self, request: trio_llm.Request, members: Sequence[trio_llm.ProviderStatus]
    ) -> list[str]:
        """Give the members to be tried, in order; those left out are not asked."""
        if request.tags.get("confidential") == "yes":
            return [member.name for member in members if member.name.startswith("house")]
        if request.messages[0].text == "a riddle":
            raise LookupError("no rule for riddles")
        return [m.name for m in sorted(members, key=lambda member: member.in_flight)]


CONFIG = trio_llm.Config(
    providers={
        name: trio_llm.Provider("simulated", simulation=trio_llm.Simulation(latency=latency))
        for name, latency in (("cloud-1", 0.05), ("cloud-2", 0.05), ("house", 0.1))
    },
    default=trio_llm.LoadBalance(strategy="custom", selection=HouseRule(), name="by-rule"),
)


async def main() -> None:
    """Ask what may leave the house, what may not, and what the rule cannot judge."""
    async with trio_llm.open_runtime(CONFIG) as llm:

        async def ask(number: int) -> None:
            reply = await llm.generate(f"question {number}")
            print(f"question {number}: {reply.provider}")

        async with trio.open_nursery() as nursery:
            for number in range(3):
                nursery.start_soon(ask, number)
        reply = await llm.generate("our salaries", tags={"confidential": "yes"})
        print(f"confidential: {reply.provider}")
        try:
            await llm.generate("a riddle")
        except trio_llm.ProviderCrashedError as error:
            print(f"a riddle: {error}")
        print(f"afterwards: {(await llm.generate('and now?')).provider}")


if __name__ == "__main__":
    trio.run(main)

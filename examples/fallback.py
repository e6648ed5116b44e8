"""A fallback: the next provider is asked when one fails; a failing one is left to rest."""

import trio

import trio_llm

CONFIG = trio_llm.Config(
    providers={
        "broken": trio_llm.Provider(
            "simulated",
            simulation=trio_llm.Simulation(
                latency=0.05, failure_rate=1.0, fail_with="OverloadedError"
            ),
            # Two failures in a row, and it rests for a minute.
            cooldown=trio_llm.CooldownSettings(initial=60.0, after_failures=2),
        ),
        "spare": trio_llm.Provider("simulated", simulation=trio_llm.Simulation(latency=0.1)),
    },
    default=trio_llm.Fallback(("broken", "spare"), name="reliable"),
)


async def main() -> None:
    """Ask three times; the third call does not even try the broken one."""
    async with trio_llm.open_runtime(CONFIG) as llm:
        for number in range(1, 4):
            reply = await llm.generate(f"question {number}")
            steps = [f"{a.provider} {a.error or a.outcome.value}" for a in reply.attempts]
            print(f"call {number}: {', then '.join(steps)}")
        broken = llm.provider("broken").status_of()
        print(f"{broken.name} is {broken.state} for {broken.cooldown_remaining:.0f} s")

        # When nobody is left, one error holds every cause; `except*` would work, too.
        try:
            await llm.provider("broken").generate("are you there?")
        except trio_llm.ProviderUnavailableError as error:
            print(f"asked directly: {error}")


if __name__ == "__main__":
    trio.run(main)

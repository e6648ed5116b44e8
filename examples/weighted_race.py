"""A weighted race: the first answer waits a little, and the best record wins."""

import random

import trio

import trio_llm


def racer(name: str, latency: float, failure_rate: float) -> trio_llm.Provider:
    """Give a provider that answers after a while, or fails at times."""
    return trio_llm.Provider(
        "simulated",
        name,
        simulation=trio_llm.Simulation(latency=latency, failure_rate=failure_rate),
        cooldown=trio_llm.CooldownSettings(after_failures=100),
    )


CONFIG = trio_llm.Config(
    default=trio_llm.Race(
        (racer("moody", 0.08, 0.5), racer("steady", 0.1, 0.0), racer("lost", 30.0, 0.0)),
        strategy="weighted",
        grace_period=0.2,
        name="race",
    )
)


async def main() -> None:
    """Race ten times; whoever fails loses its good name, and then the races, too."""
    # A seed, so that everybody sees the same failures.
    async with trio_llm.open_runtime(CONFIG, rng=random.Random(5)) as llm:  # noqa: S311
        for number in range(1, 11):
            reply = await llm.generate(f"question {number}")
            scores = reply.metadata["racing_scores"]
            told = ", ".join(f"{name} {score:.2f}" for name, score in scores.items())
            print(f"{number:2}: {reply.metadata['racing_winner']:6} wins, by {told}")
        # Who had not answered by the end of the grace was cancelled, and has left.
        for attempt in (await llm.generate("and once more")).attempts:
            print(f"  {attempt.provider}: {attempt.outcome.value} after {attempt.latency:.2f} s")


if __name__ == "__main__":
    trio.run(main)

"""A test of one's own balancing, in virtual time, under many schedules.

An hour passes in milliseconds, and a seed replays a run to the last event. Run it
with pytest, or as a program to see what happens.
"""

import trio

from trio_llm import Config, Fallback, Provider, Race
from trio_llm.testing import (
    Answers,
    RateLimits,
    ScriptedProvider,
    Stalls,
    World,
    canonical,
    explore,
    run,
    seeds,
)


def configuration() -> Config:
    """Give a race of two that never answer in time, with a spare one behind it."""
    return Config(
        providers={
            "limited": Provider("custom", cls=ScriptedProvider(RateLimits(retry_after=3600))),
            "stuck": Provider("custom", cls=ScriptedProvider(Stalls())),
            "spare": Provider("custom", cls=ScriptedProvider(Answers("here", after=2.0))),
        },
        balancers={
            "fast": Race(("limited", "stuck"), timeout=5.0),
            "reliable": Fallback(("fast", "spare")),
        },
        default="reliable",
    )


async def an_hour(world: World) -> tuple[str, float, str, str]:
    """Ask, look at who rests, wait an hour, look again."""
    async with world.open(configuration()) as llm:
        reply = await llm.generate("Is anybody there?")
        before = llm.provider("limited").status_of().state
        await trio.sleep(3600)
        after = llm.provider("limited").status_of().state
    return reply.provider, reply.latency, before, after


def test_an_hour_under_every_schedule() -> None:
    """The spare answers after the race's 5 s and its own 2 s, whatever runs first."""
    for outcome in explore(an_hour, seeds=seeds(20)):
        assert outcome.value == ("spare", 7.0, "cooling", "ready")


def test_a_seed_replays_a_run() -> None:
    """The same seed gives the same log."""
    assert run(an_hour, seed=7).log == run(an_hour, seed=7).log


def main() -> None:
    """Show the log of one run."""
    for entry in canonical(run(an_hour, seed=7).log):
        print(f"{entry.time:8.2f} s  {entry.actor:<24} {entry.kind}")
    test_an_hour_under_every_schedule()
    print("the same outcome under 20 schedules")


if __name__ == "__main__":
    main()

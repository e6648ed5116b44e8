"""Health: probe one provider, watch all of them, and see an outage begin and end."""

import trio

import trio_llm
from trio_llm.events import BreakerChanged, Event, ProbeFinished, ProviderRecovered


class House:
    """A server of one's own that is down for a while."""

    down = False

    async def generate(self, _request: trio_llm.Request) -> str:
        """Answer, unless it is down."""
        await trio.sleep(0.01)
        if House.down:
            raise trio_llm.ConnectionFailedError("nobody answers the door")
        return "pong"


CONFIG = trio_llm.Config(
    providers={
        "house": trio_llm.Provider(
            "custom",
            cls=House,
            cooldown=trio_llm.CooldownSettings(initial=0.2, after_failures=1),
            # Probes of its own, whether or not anybody monitors.
            health_check=trio_llm.HealthCheck(interval=30.0, timeout=2.0),
        ),
        "spare": trio_llm.Provider("simulated", simulation=trio_llm.Simulation(latency=0.02)),
    },
    default=trio_llm.Fallback(("house", "spare"), name="reliable"),
)


def show(event: Event) -> None:
    """Print what the probes find."""
    if isinstance(event, ProbeFinished) and not event.healthy:
        print(f"  a probe of {event.actor} failed: {event.error}")
    elif isinstance(event, BreakerChanged):
        print(f"  {event.actor}: {event.old} -> {event.new}")
    elif isinstance(event, ProviderRecovered):
        print(f"  {event.actor} has recovered")


async def main() -> None:
    """Check, then monitor through an outage; no caller is needed to notice either end."""
    async with trio_llm.open_runtime(CONFIG) as llm:
        health = await llm.check("house")
        print(f"house is healthy: {health.healthy}, in {health.latency * 1000:.0f} ms")
        llm.subscribe(show)
        async with trio.open_nursery() as nursery:
            await nursery.start(llm.monitor, 0.1)
            House.down = True
            print("the house goes down")
            await trio.sleep(0.5)
            refused = await llm.check("house")
            print(f"house is healthy: {refused.healthy} ({refused.error})")
            House.down = False
            print("the house is up again")
            await trio.sleep(1.5)
            nursery.cancel_scope.cancel()
        counts = llm.statistics().nodes["house"]
        print(f"house was probed {counts.probes} times, and called {counts.attempts} times")


if __name__ == "__main__":
    trio.run(main)

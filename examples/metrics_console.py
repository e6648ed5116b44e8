"""Metrics in the program itself: what was asked of whom, how fast it was, and what it cost.

Nothing is needed for that but the setting; the figures are plain records.
"""

import trio

import trio_llm


async def main() -> None:
    """Race three providers many times, and print what the counters say."""
    price = trio_llm.PriceSettings(input=2.0, output=10.0)
    latencies = {"near": 0.03, "far": 0.09, "moody": 0.01}
    racers = {
        name: trio_llm.Provider(
            "simulated",
            model=f"{name}-model",
            price=price,
            cooldown=trio_llm.CooldownSettings(after_failures=20),
            simulation=trio_llm.Simulation(
                latency=latency, failure_rate=0.3 if name == "moody" else 0.0
            ),
        )
        for name, latency in latencies.items()
    }
    config = trio_llm.Config(
        racers,
        default=trio_llm.Race(list(racers), name="fast"),
        telemetry=trio_llm.TelemetrySettings(metrics=True),
    )
    async with trio_llm.open_runtime(config) as llm:
        for _ in range(20):
            await llm.generate("Who is first?")
        metrics = llm.metrics()
    print(f"calls: {metrics.requests.by('outcome')}")
    for provider, share in metrics.distribution.items():
        won = metrics.contests.total(member=provider, result="won")
        spread = metrics.attempt_duration.total(provider=provider, outcome="succeeded")
        half = f"half within {spread.quantile(0.5):.2f} s" if spread.count else "too late always"
        print(f"  {provider}: {share:.0%} of the attempts, won {won}, {half}")
    print(f"failed at moody: {metrics.attempts.total(provider='moody', error='ServerError')}")
    for use in metrics.top_models():
        print(f"  {use.model}: {use.output_tokens} tokens written, ${use.cost:.6f}")


if __name__ == "__main__":
    trio.run(main)

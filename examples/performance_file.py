"""A performance file: who wins, how fast and how soundly, is known again after a restart."""

import tempfile

import trio

import trio_llm


def config(path: str, *, failing: str = "") -> trio_llm.Config:
    """Give a weighted race of two, of whom one may have a bad day."""
    racers = [
        trio_llm.Provider(
            "simulated",
            name,
            simulation=trio_llm.Simulation(latency=latency, failure_rate=float(name == failing)),
            cooldown=trio_llm.CooldownSettings(after_failures=100),
        )
        for name, latency in (("hasty", 0.05), ("steady", 0.08))
    ]
    race = trio_llm.Race(racers, strategy="weighted", grace_period=0.2, name="race")
    # It is written every minute, too; in this example the end of each run is enough.
    return trio_llm.Config(default=race, performance_file=path, performance_interval=60.0)


async def run(config: trio_llm.Config, *, races: int) -> str:
    """Open a runtime, let it race, and close it; give how the last race ended."""
    async with trio_llm.open_runtime(config) as llm:
        for _ in range(races - 1):
            await llm.generate("Who is there?")
        reply = await llm.generate("And now?")
    scores = reply.metadata["racing_scores"]
    told = ", ".join(f"{name} {score:.2f}" for name, score in scores.items())
    return f"{reply.metadata['racing_winner']} wins, by {told}"


async def main() -> None:
    """Run one file through three runs, and then damage it."""
    with tempfile.TemporaryDirectory() as folder:
        path = trio.Path(folder, "performance.toml")
        print("a first race:  ", await run(config(str(path)), races=1))
        print("a bad day:     ", await run(config(str(path), failing="hasty"), races=10))
        # Both are in order again, but the first call knows what the last run has shown.
        print("the next start:", await run(config(str(path)), races=1))
        text = await path.read_text()
        print("on file:", *text.split("[[node]]")[1].strip().splitlines(), sep="\n  ")
        await path.write_text("no history at all")
        print("a new history: ", await run(config(str(path)), races=1))
        print("set aside:     ", *[file.name for file in await path.parent.glob("*.damaged")])


if __name__ == "__main__":
    trio.run(main)

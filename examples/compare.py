"""Compare: the same prompt to several providers at once, every outcome kept."""

import trio

import trio_llm

CONFIG = trio_llm.Config(
    providers={
        "brief": trio_llm.Provider(
            "simulated", simulation=trio_llm.Simulation(latency=0.05, text="Tasks that end.")
        ),
        "broken": trio_llm.Provider(
            "simulated", simulation=trio_llm.Simulation(latency=0.02, failure_rate=1.0)
        ),
        "wordy": trio_llm.Provider(
            "simulated",
            simulation=trio_llm.Simulation(
                latency=0.15, text="Tasks that never outlive the block in which they began."
            ),
        ),
    },
    default="brief",
)


async def main() -> None:
    """Ask everybody, and show what each made of it; one failure harms no other."""
    async with trio_llm.open_runtime(CONFIG) as llm:
        started = trio.current_time()
        outcomes = await llm.compare("What is structured concurrency?")
        took = trio.current_time() - started
    for name, outcome in outcomes.items():
        if isinstance(outcome, trio_llm.Reply):
            print(f"{name}: {outcome.text} ({outcome.latency:.2f} s)")
        else:
            print(f"{name}: {type(outcome).__name__}: {outcome}")
    print(f"all of it took {took:.2f} s, as long as the slowest")


if __name__ == "__main__":
    trio.run(main)

"""The answer as it is written, and what a stream says besides text."""

import trio

import trio_llm

TALKATIVE = trio_llm.Config(
    providers={
        "poet": trio_llm.Provider(
            "simulated",
            simulation=trio_llm.Simulation(
                latency=0.1,
                gap=0.02,
                chunks=12,
                text="A nursery keeps its children until the last of them has come home.",
            ),
        )
    }
)


async def main() -> None:
    """Print every piece, then the facts; then leave a second stream early."""
    config = trio_llm.load_config()
    if config.simulated:
        config = TALKATIVE
    async with trio_llm.open_runtime(config) as llm:
        async with llm.stream("Say something about nurseries.") as stream:
            async for event in stream:
                match event:
                    case trio_llm.TextDelta(text):
                        print(text, end="|", flush=True)
                    case trio_llm.Finished(reply):
                        first = reply.time_to_first_token or 0.0
                        print(f"\nfirst token {first:.2f} s, all of it {reply.latency:.2f} s")
                    case _:
                        pass  # reasoning and tool calls come as events of their own

        # Leaving the block cancels the call, down to the socket.
        async with llm.stream("Say it again.") as stream:
            async for event in stream:
                print(f"enough after {event}")
                break
        print(f"still in flight: {sum(status.in_flight for status in llm.status())}")


if __name__ == "__main__":
    trio.run(main)

"""The runtime as one task among others, in an application that owns its nursery.

``nursery.start(run_runtime)`` gives the runtime once it is ready; it lives until the
nursery is cancelled. Calls are ordinary async calls: limits of time are Trio's scopes.
"""

import trio

import trio_llm

CONFIG = trio_llm.Config(
    providers={
        "quick": trio_llm.Provider("simulated", simulation=trio_llm.Simulation(latency=0.1)),
        "slow": trio_llm.Provider("simulated", simulation=trio_llm.Simulation(latency=60.0)),
    },
    default="quick",
)


async def heartbeat() -> None:
    """Show that the rest of the application goes on meanwhile."""
    while True:
        await trio.sleep(0.04)
        print("  the application is alive")


async def main() -> None:
    """Run the runtime next to another task; time a call out; stop everything."""
    async with trio.open_nursery() as nursery:
        llm = await nursery.start(trio_llm.run_runtime, CONFIG)
        nursery.start_soon(heartbeat)

        reply = await llm.generate("How are you?")
        print(f"{reply.provider} answered")

        with trio.move_on_after(0.1) as scope:
            await llm.provider("slow").generate("And you?")
        # The cancelled call has left: its place is free in the same instant.
        print(f"slow gave up: {scope.cancelled_caught}")
        print(f"slow is {llm.provider('slow').status_of().state} again")

        nursery.cancel_scope.cancel()
    print("nothing is left running")


if __name__ == "__main__":
    trio.run(main)

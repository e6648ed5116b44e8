"""Reload: another configuration takes over in one step, and no call is harmed by it."""

from tempfile import TemporaryDirectory

import trio

import trio_llm

FIRST = """
default = "answers"

[providers.old]
kind = "simulated"
simulation = { latency = 0.3, text = "the old one, to the end" }

[providers.steady]
kind = "simulated"
simulation = { latency = 0.05, text = "the steady one" }

[balancers.answers]
kind = "fallback"
members = ["old", "steady"]
"""

SECOND = FIRST.replace("old", "new").replace("0.3", "0.05").replace(", to the end", "")
FAULTY = SECOND.replace('["new", "steady"]', '["new", "stedy"]')


async def main() -> None:
    """Reload while a call is under way, then try a file with a fault in it."""
    with TemporaryDirectory() as folder:
        file = trio.Path(folder, "llm.toml")
        await file.write_text(FIRST, encoding="utf-8")
        async with trio_llm.open_runtime(file) as llm:
            ended: list[str] = []
            llm.subscribe(lambda event: note(event, ended))
            await llm.provider("steady").generate("warm up")

            async def long_call() -> None:
                reply = await llm.generate("a long question")
                print(f"under way before: {reply.text} (by {reply.provider})")

            async with trio.open_nursery() as nursery:
                nursery.start_soon(long_call)
                await trio.sleep(0.1)
                await file.write_text(SECOND, encoding="utf-8")
                report = await llm.reload(file)
                print(f"added {report.added}, removed {report.removed}, kept {report.kept}")
                print(f"asked after it:   {(await llm.generate('another')).text}")

            await trio.sleep(0.05)
            print(f"have ended since, with no call cut: {', '.join(ended)}")

            await file.write_text(FAULTY, encoding="utf-8")
            try:
                await llm.reload(file)
            except trio_llm.ConfigError as error:
                print(f"refused: {error.faults[0]}")
            print(
                f"generation {llm.generation} still runs: {(await llm.generate('and now?')).text}"
            )
            counts = llm.statistics()
            print(f"steady counts on: {counts.nodes['steady'].requests} call")
            print(f"old is accounted for: {counts.retired['old'].requests} call")


def note(event: trio_llm.events.Event, ended: list[str]) -> None:
    """Note who has left."""
    if isinstance(event, trio_llm.events.ActorDrained) and not event.unfinished:
        ended.append(event.actor)


if __name__ == "__main__":
    trio.run(main)

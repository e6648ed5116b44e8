"""The log: sentences and structured extras, by the standard `logging`, one logger per room."""

import contextlib
import logging
import sys

import trio

import trio_llm


class Kinds(logging.Handler):
    """An application's own handler: it reads the extras, not the words."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print what kind of thing has happened where."""
        event = getattr(record, "trio_llm", None)
        if event is not None:
            print(f"  {record.levelname}: {event['kind']} at {'/'.join(event['path'])}")


HOUSE = trio_llm.Provider(
    "simulated",
    "house",
    simulation=trio_llm.Simulation(latency=0.01, failure_rate=1.0),
    cooldown=trio_llm.CooldownSettings(initial=1.0, after_failures=1),
)
CLOUD = trio_llm.Provider("simulated", "cloud", simulation=trio_llm.Simulation(latency=0.01))
TREE = trio_llm.Fallback([HOUSE, CLOUD], name="safe")


async def ask(title: str, config: trio_llm.Config) -> None:
    """Ask once; the first member fails, and the second answers."""
    print(title, flush=True)
    async with trio_llm.open_runtime(config) as llm:
        await llm.generate("Not a word of this is logged.")


async def main() -> None:
    """Log by default, by presets, and by rooms."""
    # A handler of the application hears of what is urgent, without any configuration.
    logging.getLogger().addHandler(Kinds())
    await ask("by default:", trio_llm.Config(default=TREE))
    # A preset writes to standard error itself, and no other handler writes it again. Here
    # standard error is where the rest goes, too.
    with contextlib.redirect_stderr(sys.stdout):
        await ask("in development:", trio_llm.Config(default=TREE, preset="development"))
        await ask("in production:", trio_llm.Config(default=TREE, preset="production"))
        quiet = trio_llm.LoggingSettings(level="ERROR", rooms={"balancing": "INFO"}, format="text")
        await ask("the balancers alone:", trio_llm.Config(default=TREE, logging=quiet))


if __name__ == "__main__":
    trio.run(main)

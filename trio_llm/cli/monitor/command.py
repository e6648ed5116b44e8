"""The command: rounds of probes, shown as a live table, as lines or as JSON lines."""

from typing import Annotated

import attrs
import trio
import typer
from rich.console import Group

from trio_llm.cli.exits import ExitCode, finish
from trio_llm.cli.live import redrawn
from trio_llm.cli.monitor.board import Board
from trio_llm.cli.monitor.lines import Day, JsonLines, Lines, statuses_of
from trio_llm.cli.monitor.watch import Probed, Watch
from trio_llm.cli.notices import say_if_simulated
from trio_llm.cli.options import ConfigPath, debug_of, examples
from trio_llm.cli.terminal import Terminal
from trio_llm.config import check as plan_of
from trio_llm.config import load_config
from trio_llm.runtime import Runtime, open_runtime

EPILOG = examples(
    "trio-llm monitor",
    "trio-llm monitor --interval 5",
    "trio-llm monitor --rounds 1 || echo somebody is unwell",
    "trio-llm monitor --json | jq -c 'select(.type == \"event\")'",
)


def monitor(
    context: typer.Context,
    config: ConfigPath = None,
    interval: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.1, help="From one round to the next.")
    ] = 10.0,
    rounds: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="End after so many rounds; exit code 1 if somebody failed in the last one. "
            "Without it Ctrl-C is the end, with exit code 0.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Write one JSON object on a line for each probe and event."),
    ] = False,
) -> None:
    """Probe every provider on an interval, and show how each fares and what changes.

    Probes are real calls of one token, or lists of models where `health_check` says so.

    A provider that rests after failures is not asked before its rest is over.
    """
    terminal = Terminal()

    async def command() -> ExitCode:
        loaded = load_config(config)
        say_if_simulated(loaded, config, terminal)
        providers = plan_of(loaded).providers
        names = tuple(name for name, each in providers.items() if each.settings.enabled)
        async with open_runtime(loaded) as runtime:
            if as_json:
                outlet: Lines = JsonLines(terminal, runtime)
            else:
                outlet = Lines(terminal, runtime)
            live = terminal.shown and not as_json
            watch = Watch(
                names,
                _unsaid if live else outlet.probed,
                _unsaid if live else outlet.changed,
            )
            runtime.subscribe(watch.observe)
            show = Show(terminal, runtime, watch, interval, outlet.day)
            async with redrawn(terminal.out, show.picture, live=live, transient=not live):
                await _rounds(runtime, watch, interval, rounds)
        return ExitCode.OK if watch.all_healthy else ExitCode.FAILED

    # Who watches without an end ends it by Ctrl-C; who waits for N rounds breaks it off.
    interrupted = ExitCode.OK if rounds is None else ExitCode.INTERRUPTED
    finish(command, terminal, debug=debug_of(context), interrupted=interrupted)


def _unsaid(*_told: object) -> None:
    """A table shows it."""


async def _rounds(runtime: Runtime, watch: Watch, interval: float, rounds: int | None) -> None:
    async def probe(name: str) -> None:
        health = await runtime.check(name)
        watch.probed(Probed(trio.current_time(), watch.rounds, health))

    while True:
        began = trio.current_time()
        watch.rounds += 1
        async with trio.open_nursery() as nursery:
            for name in watch.names:
                nursery.start_soon(probe, name)
        if watch.rounds == rounds:
            return
        await trio.sleep_until(max(began + interval, trio.current_time()))


@attrs.frozen
class Show:
    """Gives the picture as it is now."""

    terminal: Terminal
    runtime: Runtime
    watch: Watch
    interval: float
    day: Day

    def picture(self) -> Group:
        """Draw it."""
        watch, size = self.watch, self.terminal.out.size
        statuses = statuses_of(self.runtime, watch.names)
        clock = [self.day.clock(change.at) for change in watch.changes]
        footer = f"round {watch.rounds}, every {self.interval:g} s; Ctrl-C ends it"
        now = trio.current_time()
        return Board(watch, size.width, size.height).picture(now, clock, statuses, footer)

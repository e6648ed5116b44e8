"""The command: traffic for a runtime, and a look at it on an interval."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import attrs
import trio
import typer
from rich.console import RenderableType
from rich.text import Text

from trio_llm.bookkeeping import rules_of
from trio_llm.cli import stored
from trio_llm.cli.budget import status_data
from trio_llm.cli.exits import ExitCode, finish
from trio_llm.cli.live import redrawn
from trio_llm.cli.notices import say_if_simulated
from trio_llm.cli.options import ConfigPath, debug_of, examples
from trio_llm.cli.terminal import Terminal
from trio_llm.cli.top.board import picture
from trio_llm.cli.top.sample import Sample, Trail, trail_data
from trio_llm.cli.top.simulated import simulated_tree
from trio_llm.cli.top.traffic import Traffic
from trio_llm.config import Config, load_config
from trio_llm.endpoint import Endpoint
from trio_llm.policy.spending import Rule
from trio_llm.runtime import Runtime, open_runtime

EPILOG = examples(
    "trio-llm top",
    'trio-llm top -c trio_llm.toml --prompt "Say OK." --rate 2',
    "trio-llm top --demo --once",
    "trio-llm top --demo --json | jq -c '.totals'",
)

_FRAME: Final = 0.25
_PROMPT: Final = "What is an actor?"


def top(
    context: typer.Context,
    config: ConfigPath = None,
    prompt: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="What is asked again and again. Models that are not simulated are asked only "
            "with it, for each answer is paid for.",
            show_default=False,
        ),
    ] = None,
    rate: Annotated[
        float, typer.Option(metavar="N", min=0.01, max=1000, help="How often in a second.")
    ] = 4.0,
    via: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Ask this provider or balancer, not the default."),
    ] = None,
    interval: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.1, help="From one look to the next.")
    ] = 1.0,
    once: Annotated[
        bool, typer.Option("--once", help="End after one interval, with one table.")
    ] = False,
    demo: Annotated[
        bool, typer.Option("--demo", help="Show a simulated tree, whatever is configured.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Write one JSON object on a line for each interval.")
    ] = False,
) -> None:
    """Show a runtime at work: who is busy, rests, wins, and what it costs.

    It is a runtime of this command, and so is the traffic. Ctrl-C ends it.
    """
    terminal = Terminal()

    async def command() -> ExitCode:
        loaded = chosen(config, prompt, terminal, demo=demo)
        if loaded is None:
            return ExitCode.USAGE
        traffic = Traffic(prompt or _PROMPT, rate)
        async with open_runtime(loaded, wall_clock=stored.wall_clock) as runtime:
            endpoint = runtime if via is None else runtime.provider(via)
            live = terminal.shown and not as_json and not once
            root = runtime.name if via is None else via
            show = Show(terminal, runtime, root, traffic, rules_of(loaded), live, as_json)
            await show.run(endpoint, interval, once=once)
        return ExitCode.OK

    # Who watches without an end ends it by Ctrl-C.
    interrupted = ExitCode.INTERRUPTED if once else ExitCode.OK
    finish(command, terminal, debug=debug_of(context), interrupted=interrupted)


def chosen(
    path: Path | None, prompt: str | None, terminal: Terminal, *, demo: bool
) -> Config | None:
    """Give the configuration to be run; ``None`` if it must not be without a prompt.

    Raises:
        ConfigError: The configuration has faults.
    """
    if prompt is not None and not prompt.strip():
        terminal.fail('--prompt is empty; give one, such as "Say OK."')
        return None
    if demo:
        terminal.note("a simulated tree is shown; no model is asked")
        return simulated_tree()
    loaded = load_config(path)
    if path is None and loaded.simulated:
        terminal.note(
            "a simulated tree is shown: no key is set and no configuration given; no model is asked"
        )
        return simulated_tree()
    if loaded.simulated or prompt is not None:
        say_if_simulated(loaded, path, terminal)
        return loaded
    terminal.fail("real models would be asked, and each answer is paid for")
    terminal.hint('give --prompt "Say OK." to ask them that, or --demo for a simulated tree')
    return None


@attrs.define
class Show:
    """Drives a runtime, looks at it on an interval, and shows what it saw.

    Attributes:
        terminal: Where to.
        runtime: The runtime.
        root: Who in it is asked.
        traffic: What it is asked.
        rules: Its budgets.
        live: Whether a person looks, so that one picture takes the place of another.
        as_json: Whether each look is one JSON object instead.
    """

    terminal: Terminal
    runtime: Runtime
    root: str
    traffic: Traffic
    rules: Sequence[Rule]
    live: bool = False
    as_json: bool = False
    _trail: Trail = attrs.field(factory=Trail, init=False)
    _picture: RenderableType = attrs.field(factory=Text, init=False)

    async def run(self, endpoint: Endpoint, interval: float, *, once: bool) -> None:
        """Go on until cancelled, or for one interval; say how it stood at the end."""
        self._look()
        interrupted = True
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.traffic.drive, endpoint)
                async with redrawn(
                    self.terminal.out,
                    lambda: self._picture,
                    live=self.live,
                    transient=True,
                    frame=_FRAME,
                ):
                    await self._looks(interval, once=once)
                interrupted = False
                nursery.cancel_scope.cancel(reason="enough was seen")
        finally:
            if interrupted:
                self._look()
            if not self.as_json:
                self.terminal.table(self._drawn())

    async def _looks(self, interval: float, *, once: bool) -> None:
        due = trio.current_time()
        while True:
            due = max(due + interval, trio.current_time())
            await trio.sleep_until(due)
            self._look()
            if self.as_json:
                budgets = [status_data(each, self.rules) for each in self._trail.last.budgets]
                now = stored.wall_clock()
                self.terminal.json_line(trail_data(self._trail, now, budgets))
            if once:
                return

    def _look(self) -> None:
        self._trail.add(Sample.of(self.runtime, self.root))
        if self.live:
            self._picture = self._drawn("Ctrl-C ends it")

    def _drawn(self, *footer: str) -> RenderableType:
        failure = self.traffic.failure
        lines = footer if failure is None else (*footer, f"the last failure: {failure}")
        return picture(self._trail, self.rules, self.terminal.out.width, lines)

"""``trio-llm check``: ask each provider for one token, all at once, and say how that went."""

from collections.abc import Sequence
from typing import Annotated, Any

import attrs
import trio
import typer
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from trio_llm.cli.attempts import seconds
from trio_llm.cli.exits import ExitCode, finish
from trio_llm.cli.live import redrawn
from trio_llm.cli.notices import say_if_simulated
from trio_llm.cli.options import AsJson, ConfigPath, debug_of, examples
from trio_llm.cli.remedies import remedy_for
from trio_llm.cli.terminal import Terminal, printable
from trio_llm.config import check as plan_of
from trio_llm.config import load_config
from trio_llm.errors import ProviderError
from trio_llm.runtime import Health, Runtime, open_runtime

EPILOG = examples("trio-llm check", "trio-llm check openai anthropic", "trio-llm check --json")


def check(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME",
            help="Providers or balancers; without any, every provider that is enabled.",
            show_default=False,
        ),
    ] = None,
    config: ConfigPath = None,
    as_json: AsJson = False,
) -> None:
    """Ask each provider for one token, all at once; exit code 1 if any fails.

    These are real calls: each costs a few tokens.
    """
    terminal = Terminal()

    async def command() -> ExitCode:
        loaded = load_config(config)
        say_if_simulated(loaded, config, terminal)
        asked = names or [
            name
            for name, provider in plan_of(loaded).providers.items()
            if provider.settings.enabled
        ]
        async with open_runtime(loaded) as runtime:
            found = await _ask_all(runtime, list(dict.fromkeys(asked)), terminal)
        if as_json:
            terminal.document([_health_data(health) for health in found])
        else:
            terminal.table(health_table(found))
        return ExitCode.OK if all(health.healthy for health in found) else ExitCode.FAILED

    finish(command, terminal, debug=debug_of(context))


async def _ask_all(runtime: Runtime, names: Sequence[str], terminal: Terminal) -> list[Health]:
    for name in names:
        runtime.provider(name)  # a wrong name ends it before anything is asked
    found: dict[str, Health] = {}

    spinner = Spinner("dots")

    def progress() -> Spinner:
        missing = ", ".join(name for name in names if name not in found)
        text = f"{len(found)} of {len(names)} have ended; waiting for {missing}"
        spinner.update(text=Text(text, no_wrap=True, overflow="ellipsis"))
        return spinner

    async def ask_one(name: str) -> None:
        found[name] = await runtime.check(name)

    async with (
        redrawn(terminal.err, progress, live=terminal.live, transient=True),
        trio.open_nursery() as nursery,
    ):
        for name in names:
            nursery.start_soon(ask_one, name)
    return [found[name] for name in names]


def _health_data(health: Health) -> dict[str, Any]:
    return attrs.asdict(health) | {
        "error": None if health.error is None else str(health.error),
        "error_class": None if health.error is None else type(health.error).__name__,
    }


def _detail(health: Health) -> Text:
    if health.error is None:
        return Text(printable(health.model or ""), "dim")
    said = printable(str(health.error)).removeprefix(f"{health.name}: ")
    detail = Text.assemble(said, (f" [{type(health.error).__name__}]", "dim"))
    remedy = remedy_for(health.error) if isinstance(health.error, ProviderError) else None
    return detail if remedy is None else detail.append(f"\n{remedy}", "yellow")


def health_table(found: Sequence[Health]) -> Table:
    """Give one row for each that was asked."""
    table = Table()
    table.add_column("name", style="bold")
    table.add_column("health")
    table.add_column("latency", justify="right")
    table.add_column("model, or what went wrong", overflow="fold")
    for health in found:
        state = Text("ok", "green") if health.healthy else Text("failed", "red")
        table.add_row(health.name, state, seconds(health.latency), _detail(health))
    return table

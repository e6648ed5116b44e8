"""The models of a local server: shown, fetched and deleted."""

import contextlib
from typing import Annotated, Self

import typer
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from trio_llm.chat import PullProgress
from trio_llm.cli.exits import ExitCode, finish
from trio_llm.cli.models.facts import facts_table, model_data
from trio_llm.cli.options import AsJson, ConfigPath, debug_of, examples
from trio_llm.cli.terminal import Terminal, printable
from trio_llm.config import Config, load_config
from trio_llm.config import check as plan_of
from trio_llm.config.rules import quoted
from trio_llm.errors import ConfigError
from trio_llm.runtime import open_runtime

PULL_EPILOG = examples("trio-llm models pull llama3.2", "trio-llm models pull llama3.2 --via den")

Via = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="The provider; without it, the one that is an Ollama."),
]
ModelName = Annotated[str, typer.Argument(metavar="MODEL", help="The model's name.")]


def show(
    context: typer.Context,
    model: ModelName,
    via: Via = None,
    config: ConfigPath = None,
    as_json: AsJson = False,
) -> None:
    """Show what is known of one model."""
    terminal = Terminal()

    async def command() -> ExitCode:
        loaded = load_config(config)
        name = manager(loaded, via)
        async with open_runtime(loaded) as runtime:
            info = await runtime.provider(name).show_model(model)
        if as_json:
            terminal.document(model_data(info))
        else:
            terminal.table(facts_table(info))
        return ExitCode.OK

    finish(command, terminal, debug=debug_of(context))


def pull(
    context: typer.Context, model: ModelName, via: Via = None, config: ConfigPath = None
) -> None:
    """Have a local server fetch a model; an interrupt stops it, and it goes on next time."""
    terminal = Terminal()

    async def command() -> ExitCode:
        loaded = load_config(config)
        name = manager(loaded, via)
        bars = _Bars(terminal)
        async with open_runtime(loaded) as runtime:
            with bars:
                async with runtime.provider(name).pull_model(model) as pulling:
                    async for step in pulling:
                        bars.show(step)
        terminal.remark(Text.assemble(("✓ ", "green"), (model, "bold"), f" is at {name}"))
        return ExitCode.OK

    finish(command, terminal, debug=debug_of(context))


def remove(
    context: typer.Context, model: ModelName, via: Via = None, config: ConfigPath = None
) -> None:
    """Have a local server delete a model."""
    terminal = Terminal()

    async def command() -> ExitCode:
        loaded = load_config(config)
        name = manager(loaded, via)
        async with open_runtime(loaded) as runtime:
            await runtime.provider(name).delete_model(model)
        terminal.remark(Text.assemble(("✓ ", "green"), (model, "bold"), f" is gone from {name}"))
        return ExitCode.OK

    finish(command, terminal, debug=debug_of(context))


def manager(config: Config, via: str | None) -> str:
    """Give the provider whose models are managed: the one named, or the one that is an Ollama.

    Raises:
        ConfigError: There is none, or more than one, or a balancer was named.
    """
    plan = plan_of(config)
    if via is not None:
        if via not in plan.balancers:
            return via
        members = ", ".join(plan.balancers[via].members)
        raise ConfigError(
            [f"--via: {quoted(via)} is several providers ({members}); name one of them"], "call"
        )
    found = [
        name
        for name, provider in plan.providers.items()
        if provider.settings.enabled and provider.kind.name == "ollama"
    ]
    if len(found) == 1:
        return found[0]
    if found:
        problem = f"several providers manage models ({', '.join(found)}); name one with --via"
    else:
        problem = (
            "no provider of the kind ollama is configured; set OLLAMA_HOST "
            "(http://localhost:11434, for example), or name a provider with --via"
        )
    raise ConfigError([problem], "call")


class _Bars(contextlib.AbstractContextManager["_Bars"]):
    """A bar for each layer of a pull; without a person, a line for each new status."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=terminal.err,
            auto_refresh=False,
        )
        self._layers: dict[str, TaskID] = {}
        self._said: set[str] = set()

    def __enter__(self) -> Self:
        if self._terminal.live:
            self._progress.start()
        return self

    def __exit__(self, *_error: object) -> None:
        if self._terminal.live:
            self._progress.stop()

    def show(self, step: PullProgress) -> None:
        """Show one step."""
        if step.digest is None or step.total is None or not self._terminal.live:
            if step.status not in self._said:
                self._said.add(step.status)
                self._terminal.remark(Text(printable(step.status), "dim"))
            return
        layer = self._layers.get(step.digest)
        if layer is None:
            label = printable(step.digest).removeprefix("sha256:")[:12]
            layer = self._layers[step.digest] = self._progress.add_task(label, total=step.total)
        self._progress.update(layer, completed=step.completed or 0, total=step.total, refresh=True)

"""``trio-llm models``: which models there are, and the models of a local server."""

import contextlib
from collections.abc import Sequence
from typing import Annotated, Any, Final, Self

import attrs
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
from rich.table import Table
from rich.text import Text

from trio_llm.chat import Capability, ModelInfo, Price, PullProgress
from trio_llm.cli.exits import ExitCode, finish
from trio_llm.cli.failures import explain
from trio_llm.cli.notices import say_if_simulated
from trio_llm.cli.options import AsJson, ConfigPath, debug_of, examples
from trio_llm.cli.terminal import Terminal, printable
from trio_llm.config import Config, load_config
from trio_llm.config import check as plan_of
from trio_llm.config.rules import quoted
from trio_llm.errors import ConfigError
from trio_llm.runtime import open_runtime

models_app = typer.Typer(
    name="models",
    no_args_is_help=True,
    help="List models; pull, show and remove those of a local server.",
    epilog=examples("trio-llm models list", "trio-llm models pull llama3.2"),
)

Via = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="The provider; without it, the one that is an Ollama."),
]
ModelName = Annotated[str, typer.Argument(metavar="MODEL", help="The model's name.")]


@models_app.command(
    "list",
    epilog=examples(
        "trio-llm models list",
        "trio-llm models list openrouter --capability tools --capability vision",
        "trio-llm models list --json | jq '.models[].id'",
    ),
)
def list_models(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="A provider or balancer; without one, every provider that is enabled.",
            show_default=False,
        ),
    ] = None,
    config: ConfigPath = None,
    capability: Annotated[
        list[Capability] | None,
        typer.Option(help="Only models that are known to have it; can be given again."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the models that the providers offer, with what is known of them.

    Exit code 1 if a provider gives no list; the others are shown all the same.
    """
    terminal = Terminal()
    wanted = frozenset(capability or ())

    async def command() -> ExitCode:
        loaded = load_config(config)
        say_if_simulated(loaded, config, terminal)
        async with open_runtime(loaded) as runtime:
            catalogue = await runtime.models(name)
        shown = [model for model in catalogue.models if wanted <= (model.capabilities or set())]
        if as_json:
            terminal.document(
                {
                    "models": [model_data(model) for model in shown],
                    "errors": {name: str(error) for name, error in catalogue.errors.items()},
                }
            )
        else:
            terminal.table(model_table(shown))
        for error in catalogue.errors.values():
            explain(error, terminal)
        return ExitCode.FAILED if catalogue.errors else ExitCode.OK

    finish(command, terminal, debug=debug_of(context))


@models_app.command("show", epilog=examples("trio-llm models show llama3.2"))
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
            terminal.table(_facts(info))
        return ExitCode.OK

    finish(command, terminal, debug=debug_of(context))


@models_app.command(
    "pull",
    epilog=examples("trio-llm models pull llama3.2", "trio-llm models pull llama3.2 --via den"),
)
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


@models_app.command("rm", epilog=examples("trio-llm models rm llama3.2"))
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


def _capabilities(model: ModelInfo) -> list[str]:
    return [] if model.capabilities is None else sorted(c.value for c in model.capabilities)


def _price_data(price: Price | None) -> dict[str, str | None] | None:
    if price is None:
        return None
    return {
        name: None if value is None else str(value) for name, value in attrs.asdict(price).items()
    }


def model_data(model: ModelInfo) -> dict[str, Any]:
    """Give a model as plain values: prices as decimal strings, US dollars per million tokens."""
    return {
        "id": model.id,
        "provider": model.provider,
        "name": model.name,
        "capabilities": None if model.capabilities is None else _capabilities(model),
        "context_window": model.context_window,
        "max_output_tokens": model.max_output_tokens,
        "price": _price_data(model.price),
        "size": model.size,
    }


def _price(model: ModelInfo) -> tuple[str, str]:
    if model.price is None:
        return "", ""
    return f"${model.price.input:.2f}", f"${model.price.output:.2f}"


_FACTS: Final = ("context", "input", "output", "capabilities")
"""What is told of a model where it is known."""


def model_table(models: Sequence[ModelInfo]) -> Table:
    """Give one row for each model."""
    rows = [
        (
            model.provider,
            printable(model.id),
            "" if model.context_window is None else f"{model.context_window:,}",
            *_price(model),
            ", ".join(_capabilities(model)),
        )
        for model in models
    ]
    table = Table()
    table.add_column("provider", style="bold", overflow="fold")
    table.add_column("model", overflow="fold")
    # What nothing is known of takes no place from what is.
    known = [column for column in range(2, len(_FACTS) + 2) if any(row[column] for row in rows)]
    for column in known:
        heading = _FACTS[column - 2]
        table.add_column(
            heading, justify="left" if heading == _FACTS[-1] else "right", overflow="fold"
        )
    if any(model.price is not None for model in models):
        table.caption = "prices in US dollars per million tokens; blank where nothing says"
    for row in rows:
        table.add_row(row[0], row[1], *(row[column] for column in known))
    return table


def _facts(model: ModelInfo) -> Table:
    table = Table(show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    facts: dict[str, object] = {
        "model": model.id,
        "provider": model.provider,
        "context": model.context_window,
        "max output": model.max_output_tokens,
        "capabilities": ", ".join(_capabilities(model)) or None,
        "size": None if model.size is None else f"{model.size / 1e9:.2f} GB",
        **model.details,
    }
    for name, value in facts.items():
        if value is not None and not isinstance(value, dict | list):
            table.add_row(printable(name), printable(str(value)))
    return table

"""The list of models: those that can do something, those that are free, the cheapest one."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Final

import typer

from trio_llm.chat import Capability, ModelInfo
from trio_llm.cli.exits import ExitCode, finish
from trio_llm.cli.failures import explain
from trio_llm.cli.models.facts import model_data, model_table
from trio_llm.cli.notices import say_if_simulated
from trio_llm.cli.options import AsJson, ConfigPath, debug_of, examples, unknown_word
from trio_llm.cli.terminal import Terminal
from trio_llm.config import load_config
from trio_llm.runtime import open_runtime

EPILOG = examples(
    "trio-llm models list",
    "trio-llm models list openrouter --capability tools --capability vision",
    "trio-llm models list --free",
    "trio-llm models list --capability chat --cheapest",
    "trio-llm models list --json | jq '.models[].id'",
)

WORDS: Final = tuple(capability.value for capability in Capability)
"""The words for capabilities."""


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
        list[str] | None,
        typer.Option(
            metavar="WORD",
            help="Only models that are known to have it, such as chat, tools, vision or "
            "embedding; can be given again.",
            show_default=False,
        ),
    ] = None,
    free: Annotated[
        bool,
        typer.Option(
            "--free",
            help="Only models that are known to cost nothing, those on your own machines included.",
        ),
    ] = False,
    cheapest: Annotated[
        bool,
        typer.Option(
            "--cheapest",
            help="Only the cheapest of these, by input and output together; where no price is "
            "known comes last.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the models that the providers offer, with what is known of them.

    Exit code 1 if a provider gives no list; the others are shown all the same.
    """
    terminal = Terminal()
    wanted = _capabilities_of(capability or (), terminal)

    async def command() -> ExitCode:
        loaded = load_config(config)
        say_if_simulated(loaded, config, terminal)
        async with open_runtime(loaded) as runtime:
            catalogue = await runtime.models(name)
        shown = [model for model in catalogue.models if wanted <= (model.capabilities or set())]
        if free:
            shown = [model for model in shown if model.price is not None and model.price.free]
        if cheapest:
            shown = sorted(shown, key=_cost)[:1]
        if as_json:
            terminal.document(
                {
                    "models": [model_data(model) for model in shown],
                    "errors": {name: str(error) for name, error in catalogue.errors.items()},
                }
            )
        elif shown:
            terminal.table(model_table(shown))
        if not shown:
            _say_none(catalogue.models, wanted, terminal)
        for error in catalogue.errors.values():
            explain(error, terminal)
        return ExitCode.FAILED if catalogue.errors else ExitCode.OK

    finish(command, terminal, debug=debug_of(context))


def _capabilities_of(words: Sequence[str], terminal: Terminal) -> frozenset[Capability]:
    for word in words:
        problem = unknown_word("--capability", "capability", word, WORDS)
        if problem is not None:
            terminal.fail(problem)
            terminal.hint(f"the capabilities are {', '.join(WORDS)}")
            raise typer.Exit(ExitCode.USAGE)
    return frozenset(map(Capability, words))


def _cost(model: ModelInfo) -> tuple[bool, Decimal]:
    if model.price is None:
        return True, Decimal(0)
    return False, model.price.input + model.price.output


def _say_none(
    models: Sequence[ModelInfo], wanted: frozenset[Capability], terminal: Terminal
) -> None:
    if not models:
        terminal.note("there are no models")
        return
    silent = sum(model.capabilities is None for model in models) if wanted else 0
    of_these = f"; of {silent} nothing says what they can do" if silent else ""
    terminal.note(f"none of {len(models)} models is known to fit{of_these}")

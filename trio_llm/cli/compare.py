"""``trio-llm compare``: one question to several providers, their answers side by side."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import trio
import typer
from rich.console import Group, RenderableType
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from trio_llm.chat import UNKNOWN, Message, Reply
from trio_llm.cli.amounts import money
from trio_llm.cli.attempts import as_data, seconds
from trio_llm.cli.exits import ExitCode, finish
from trio_llm.cli.live import redrawn
from trio_llm.cli.notices import say_if_simulated
from trio_llm.cli.options import AsJson, ConfigPath, debug_of, examples
from trio_llm.cli.reading import read_prompt
from trio_llm.cli.terminal import Terminal, printable
from trio_llm.config import load_config
from trio_llm.endpoint import to_request
from trio_llm.errors import LLMError
from trio_llm.runtime import open_runtime

EPILOG = examples(
    'trio-llm compare "What is an actor?"',
    'trio-llm compare --providers openai,anthropic "What is an actor?"',
    'trio-llm compare --json "What is an actor?" | jq "map_values(.latency)"',
)

_NARROW: Final = 60
"""Columns below which a table leaves no room for an answer."""


def compare(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PROMPT",
            help="The question; - or nothing reads it from standard input.",
            show_default=False,
        ),
    ] = None,
    config: ConfigPath = None,
    providers: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help="Ask these providers or balancers; without it, every provider that is enabled.",
        ),
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="At most so many tokens of answer.")
    ] = None,
    system: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Instructions that come before the prompt.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask several providers at once; one that fails harms no other.

    Exit code 1 if any fails.
    """
    terminal = Terminal()
    names = [name.strip() for name in (providers or "").split(",") if name.strip()]
    if providers is not None and not names:
        terminal.fail("--providers names nobody; give names, or leave it out to ask everybody")
        raise typer.Exit(ExitCode.USAGE)
    text = read_prompt(words, system, terminal)

    async def command() -> ExitCode:
        messages = [] if system is None else [Message("system", system)]
        prompt = [*messages, Message("user", text)]
        request = to_request(prompt, {"max_tokens": max_tokens})
        loaded = load_config(config)
        say_if_simulated(loaded, config, terminal)
        async with open_runtime(loaded) as runtime:
            began = trio.current_time()
            spinner = Spinner("dots")

            def picture() -> Spinner:
                spinner.update(text=f"waiting, {trio.current_time() - began:.1f} s")
                return spinner

            async with redrawn(terminal.err, picture, live=terminal.live, transient=True):
                found = await runtime.compare(request, providers=names or None)
        if as_json:
            terminal.document({name: _as_data(found[name]) for name in found})
        else:
            terminal.table(comparison(found, narrow=terminal.out.width < _NARROW))
        failed = any(isinstance(outcome, LLMError) for outcome in found.values())
        return ExitCode.FAILED if failed else ExitCode.OK

    finish(command, terminal, debug=debug_of(context))


def _as_data(outcome: Reply | LLMError) -> dict[str, Any]:
    if isinstance(outcome, LLMError):
        return {"error": {"class": type(outcome).__name__, "message": str(outcome)}}
    return as_data(outcome)


def comparison(found: Mapping[str, Reply | LLMError], *, narrow: bool = False) -> RenderableType:
    """Give one row for each that was asked; one paragraph where a row has no room."""
    if narrow:
        return Group(*[_paragraph(name, outcome) for name, outcome in found.items()])
    table = Table(show_lines=True)
    table.add_column("name", style="bold")
    table.add_column("latency", justify="right")
    table.add_column("tokens", justify="right")
    table.add_column("cost", justify="right")
    table.add_column("answer, or what went wrong", overflow="fold")
    for name, outcome in found.items():
        if isinstance(outcome, LLMError):
            table.add_row(name, "", "", "", _failure(name, outcome))
            continue
        table.add_row(
            Text.assemble((name, "bold"), (f"\n{printable(outcome.model)}", "dim")),
            seconds(outcome.latency),
            str(outcome.usage.output_tokens),
            _cost(outcome),
            Text(printable(outcome.text)),
        )
    return table


def _failure(name: str, error: LLMError) -> Text:
    said = printable(str(error)).removeprefix(f"{name}: ")
    return Text.assemble((said, "red"), (f" [{type(error).__name__}]", "dim"))


def _cost(reply: Reply) -> str:
    """Give the cost of all attempts; nothing where no price is known."""
    return "" if reply.cost == UNKNOWN else money(reply.cost)


def _paragraph(name: str, outcome: Reply | LLMError) -> Text:
    if isinstance(outcome, LLMError):
        return Text.assemble((f"{name}\n", "bold"), _failure(name, outcome), "\n")
    facts = [printable(outcome.model), seconds(outcome.latency)]
    facts.append(f"{outcome.usage.output_tokens} tokens")
    facts += [money(outcome.cost)] if outcome.cost.amount else []
    return Text.assemble(
        (name, "bold"), (f" · {' · '.join(facts)}\n", "dim"), printable(outcome.text), "\n"
    )

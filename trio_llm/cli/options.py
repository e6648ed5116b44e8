"""Options that several commands have, and the form of their help."""

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, TypeAlias

import attrs
import typer

from trio_llm.cli.exits import EXIT_CODES
from trio_llm.config.rules import quoted, suggestion

ConfigPath: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        envvar="TRIO_LLM_CONFIG",
        metavar="FILE",
        help="A TOML or JSON file. Without one, the key variables that are set decide.",
        show_default=False,
    ),
]

AsJson: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Write one JSON object to standard output.")
]


@attrs.frozen
class Common:
    """What was said before the command.

    Attributes:
        debug: Show the traceback of a failure.
    """

    debug: bool = False


LogLevel: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--log-level",
        metavar="LEVEL",
        help="Log what happens to standard error: debug, info, warning, error or critical. "
        "Without it nothing is logged, whatever the configuration says.",
        show_default=False,
    ),
]


def debug_of(context: typer.Context) -> bool:
    """Whether ``--debug`` was given."""
    common = context.find_object(Common)
    return common is not None and common.debug


def unknown_word(option: str, what: str, word: str, known: Collection[str]) -> str | None:
    """Say that an option does not know a word, with the nearest that it knows."""
    if word in known:
        return None
    return f"{option}: no {what} {quoted(word)}; {suggestion(word, known)}"


def examples(*lines: str) -> str:
    """Give the end of a command's help: examples, one on a line, and the exit codes."""
    shown = "\n".join(f"  [cyan]{line}[/cyan]" for line in lines)
    return f"[bold]Examples[/bold]\n{shown}\n\n[dim]{EXIT_CODES}[/dim]"

"""The application: its commands and what can be said before them."""

from typing import Annotated

import typer

from trio_llm._version import __version__
from trio_llm.cli import ask, batch, budget, check, compare, demo, monitor, status, top, usage
from trio_llm.cli.cache import cache_app
from trio_llm.cli.config import config_app
from trio_llm.cli.exits import ExitCode
from trio_llm.cli.models import models_app
from trio_llm.cli.options import Common, LogLevel, examples, unknown_word
from trio_llm.cli.terminal import Terminal
from trio_llm.config import LoggingSettings
from trio_llm.config.accounting import LEVELS
from trio_llm.logs import CLAIMS

app = typer.Typer(
    name="trio-llm",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples('trio-llm ask "What is an actor?"', "trio-llm demo", "trio-llm config init"),
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"trio-llm {__version__}")
        raise typer.Exit


def _logging_at(level: str | None) -> LoggingSettings:
    """Give what is logged; without a level nothing, for the commands have words of their own."""
    if level is None:
        return LoggingSettings(level="CRITICAL")
    return LoggingSettings(level=level, format="text")


@app.callback()
def begin(
    context: typer.Context,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of a failure, too.")
    ] = False,
    log_level: LogLevel = None,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and leave.", callback=_show_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Ask language models: raced, spread, with fallbacks; every answer comes once."""
    context.obj = Common(debug)
    problem = None
    if log_level is not None:
        log_level = log_level.upper()
        problem = unknown_word("--log-level", "level", log_level, LEVELS)
    if problem is not None:
        Terminal().fail(problem)
        raise typer.Exit(ExitCode.USAGE)
    context.call_on_close(CLAIMS.claim(_logging_at(log_level), foremost=True))


app.command(epilog=ask.EPILOG)(ask.ask)
app.command(epilog=compare.EPILOG)(compare.compare)
app.command(epilog=batch.EPILOG)(batch.batch)
app.command(epilog=demo.EPILOG)(demo.demo)
app.command(epilog=status.EPILOG)(status.status)
app.command(epilog=check.EPILOG)(check.check)
app.command(epilog=monitor.EPILOG)(monitor.monitor)
app.command(epilog=top.EPILOG)(top.top)
app.command(epilog=usage.EPILOG)(usage.usage)
app.command(epilog=budget.EPILOG)(budget.budget)
app.add_typer(cache_app)
app.add_typer(models_app)
app.add_typer(config_app)

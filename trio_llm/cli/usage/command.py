"""The command: from its options to the report, in one of three forms."""

from pathlib import Path
from typing import Annotated

import typer

from trio_llm.cli.exits import ExitCode, finish
from trio_llm.cli.options import AsJson, ConfigPath, debug_of, examples
from trio_llm.cli.stored import Place, place_of, reading
from trio_llm.cli.terminal import Terminal
from trio_llm.cli.usage.export import report_csv, report_data
from trio_llm.cli.usage.picture import pictures
from trio_llm.cli.usage.question import (
    Question,
    QuestionError,
    check_order,
    conditions,
    dimensions,
    instant,
)
from trio_llm.cli.usage.report import Report, answer
from trio_llm.config import load_config
from trio_llm.errors import ConfigError
from trio_llm.ledger import Ledger

EPILOG = examples(
    "trio-llm usage -c trio_llm.toml",
    "trio-llm usage --store trio_llm.db --since 7d --by user --top 10",
    "trio-llm usage --since 2026-11-01 --until 2026-12-01 --by day --csv > november.csv",
    "trio-llm usage --only provider=openai --only tag:team=search",
    "trio-llm usage --json | jq -r .total.cost",
)


def usage(
    context: typer.Context,
    config: ConfigPath = None,
    store: Annotated[
        Path | None,
        typer.Option(
            "--store",
            metavar="FILE",
            help="The file of a store, in place of the one that the configuration names.",
            show_default=False,
        ),
    ] = None,
    by: Annotated[
        str,
        typer.Option(
            metavar="A,B,...",
            help="What the rows are kept apart by: provider, kind, model, user, operation, "
            "outcome, day, tag:NAME.",
        ),
    ] = "provider,model",
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="From then on: a day (2026-11-01), a time (2026-11-01T14:00), or how far back "
            "(24h, 7d, 2w).",
            show_default=False,
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Until before then, likewise.", show_default=False),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Only attempts that have it, such as provider=openai; can be given again.",
            show_default=False,
        ),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="Only the N greatest of each kind.", show_default=False
        ),
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            max=366,
            help="Draw the last N days; without it thirty, from the first that was used.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
    as_csv: Annotated[
        bool,
        typer.Option(
            "--csv",
            help="Write the rows as comma-separated values. Control characters are left out; a "
            "text that a spreadsheet would take for a formula (= + - @) gets an apostrophe.",
        ),
    ] = False,
) -> None:
    """Show what was used and what it cost, from the books on disk.

    Every physical attempt counts, retries and cancelled losers included. In front of a cost
    ~ marks an estimate and >= what may be more. An agent may be at work meanwhile.
    """
    terminal = Terminal()

    async def command() -> ExitCode:
        if as_json and as_csv:
            terminal.fail("--json and --csv exclude each other; give one of them")
            return ExitCode.USAGE
        place = _place(config, store)
        now = place.clock()
        try:
            question = Question(
                dimensions("--by", by.split(",")),
                None if since is None else instant("--since", since, now, place.time_zone),
                None if until is None else instant("--until", until, now, place.time_zone),
                conditions(only or ()),
                top,
                days,
            )
            check_order(question)
        except QuestionError as error:
            terminal.fail(str(error))
            return ExitCode.USAGE
        async with reading(place) as accounts:
            report = await answer(Ledger(accounts, place.time_zone), question, now)
        if as_json:
            terminal.document(report_data(report, place))
        elif as_csv:
            terminal.answer(report_csv(report))
        elif report.total.attempts:
            for picture in pictures(report, place.time_zone, terminal.out.width):
                terminal.table(picture)
        if not report.total.attempts:
            _say_nothing(report, place, terminal)
        return ExitCode.OK

    finish(command, terminal, debug=debug_of(context))


def _place(config: Path | None, store: Path | None) -> Place:
    """Give the place of the books.

    Raises:
        ConfigError: There is no such file, or the configuration has faults or names none.
    """
    if store is None:
        return place_of(load_config(config), config, "usage is")
    if not store.is_file():
        problem = "a directory" if store.is_dir() else "no such file"
        raise ConfigError([f"{problem}; give the file that a [store] has for its path"], str(store))
    return Place(store, "UTC" if config is None else load_config(config).time_zone)


def _say_nothing(report: Report, place: Place, terminal: Terminal) -> None:
    question = report.question
    if not place.begun:
        terminal.note(f"nothing was booked: {place.absence()}")
    elif question.only or question.since is not None or question.until is not None:
        terminal.note(f"nothing in {place.path} fits --since, --until and --only")
    else:
        terminal.note(f"nothing has been booked in {place.path} yet")

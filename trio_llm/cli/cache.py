"""``trio-llm cache``: the answers that are kept on disk, counted and forgotten."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import attrs
import trio
import typer
from rich.table import Table
from rich.text import Text

from trio_llm.cli.amounts import duration, size
from trio_llm.cli.bars import bar
from trio_llm.cli.exits import ExitCode, finish
from trio_llm.cli.options import AsJson, ConfigPath, debug_of, examples
from trio_llm.cli.stored import Place, place_of, reading
from trio_llm.cli.terminal import Terminal
from trio_llm.config import CacheSettings, Config, load_config
from trio_llm.errors import StoreError
from trio_llm.store import SQLiteStore

cache_app = typer.Typer(
    name="cache",
    no_args_is_help=True,
    help="Count the answers that are kept on disk, or forget them.",
    epilog=examples("trio-llm cache stats", "trio-llm cache clear --expired"),
)

_BAR = 24


@attrs.frozen
class Kept:
    """What is kept.

    Attributes:
        entries: How many answers.
        size: How many bytes they have in all.
    """

    entries: int
    size: int

    def __str__(self) -> str:
        answers = "1 answer" if self.entries == 1 else f"{self.entries:,} answers"
        return f"{answers} ({size(self.size)})"


async def kept_in(place: Place) -> Kept:
    """Count what is kept.

    Raises:
        StoreError: The store cannot be read.
    """
    async with reading(place) as accounts:
        return Kept(*await accounts.journal.store.cache_size())


@cache_app.command(
    epilog=examples("trio-llm cache stats -c trio_llm.toml", "trio-llm cache stats --json")
)
def stats(context: typer.Context, config: ConfigPath = None, as_json: AsJson = False) -> None:
    """Show how many answers are kept on disk, and how much room they take.

    How many calls were answered by them only the runtime knows: `llm.cache.statistics()`.
    """
    terminal = Terminal()

    async def command() -> ExitCode:
        loaded, place = _place(config)
        kept = await kept_in(place)
        if as_json:
            terminal.document(cache_data(kept, loaded.cache, place))
            return ExitCode.OK
        terminal.table(cache_table(kept, loaded.cache))
        for note in _notes(loaded.cache, place):
            terminal.note(note)
        return ExitCode.OK

    finish(command, terminal, debug=debug_of(context))


@cache_app.command(
    epilog=examples(
        "trio-llm cache clear -c trio_llm.toml",
        "trio-llm cache clear --expired --yes",
    )
)
def clear(
    context: typer.Context,
    config: ConfigPath = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask whether to do it.")] = False,
    expired: Annotated[
        bool, typer.Option("--expired", help="Only answers that are past their time.")
    ] = False,
) -> None:
    """Forget the answers that are kept on disk; usage and budgets stay.

    No agent may have the store open meanwhile.
    """
    terminal = Terminal()

    async def command() -> ExitCode:
        _, place = _place(config)
        kept = await kept_in(place)
        if not kept.entries:
            terminal.note(place.absence() if not place.begun else f"{place.path} keeps no answers")
            return ExitCode.OK
        which = "those that are past their time, of" if expired else "all of"
        if not yes:
            if not sys.stdin.isatty():
                terminal.fail(f"nobody can be asked whether to forget {kept}; give --yes")
                return ExitCode.USAGE
            if not await confirmed(f"Forget {which} {kept} in {place.path}?", terminal):
                terminal.note("nothing was forgotten")
                return ExitCode.OK
        try:
            gone = await forget(place, expired=expired)
        except StoreError:
            terminal.hint(
                "while an agent has the store open, only that can forget: "
                "`await llm.cache.clear()`; or end it first"
            )
            raise
        terminal.table(Text("forgot 1 answer" if gone == 1 else f"forgot {gone:,} answers"))
        return ExitCode.OK

    finish(command, terminal, debug=debug_of(context))


def _place(config: Path | None) -> tuple[Config, Place]:
    loaded = load_config(config)
    return loaded, place_of(loaded, config, "answers are")


async def confirmed(question: str, terminal: Terminal) -> bool:
    """Ask the person at the terminal; only a plain yes is one, and Ctrl-C is heard."""
    terminal.err.print(Text.assemble(question, (" [y/N] ", "bold")), end="")
    if os.name != "nt":  # pragma: no branch - there only sockets can be waited for
        await trio.lowlevel.wait_readable(sys.stdin.fileno())
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


async def forget(place: Place, *, expired: bool) -> int:
    """Forget answers; give how many.

    Args:
        place: Where they are kept.
        expired: Whether only those go that are past their time.

    Raises:
        StoreError: The store cannot be written, or a runtime has it open.
    """
    store = SQLiteStore(place.path, wall_clock=place.clock)
    async with store.opened():
        return await store.forget(expired_before=place.clock() if expired else None)


def cache_table(kept: Kept, settings: CacheSettings) -> Table:
    """Give what is kept beside what may be."""
    table = Table(title="Answers on disk", title_justify="left")
    for heading in ("", "kept", "at most", "filled"):
        table.add_column(heading, justify="right" if heading in {"kept", "at most"} else "left")
    for what, count, most, shown in (
        ("answers", kept.entries, settings.entries, "{:,}".format),
        ("bytes", kept.size, settings.size, size),
    ):
        share = count / most
        table.add_row(
            Text(what, "bold"),
            shown(count),
            shown(most),
            bar(share, _BAR, "cyan").append(f" {share:.0%}"),
        )
    return table


def _notes(settings: CacheSettings, place: Place) -> list[str]:
    mode = settings.mode.replace("_", " ")
    notes = [f"the cache is {mode}; an answer is given again for {duration(settings.ttl)}"]
    if settings.mode == "off":
        notes = ['the cache is off; set mode = "on" under [cache]']
    if not settings.persistent:
        notes.append("a runtime keeps answers in memory; set persistent = true under [cache]")
    if not place.begun:
        notes.append(place.absence())
    return notes


def cache_data(kept: Kept, settings: CacheSettings, place: Place) -> dict[str, Any]:
    """Give what is kept as plain values: sizes in bytes, times in seconds."""
    return {
        "store": str(place.path),
        "entries": kept.entries,
        "size": kept.size,
        "settings": attrs.asdict(settings),
    }

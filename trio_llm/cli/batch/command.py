"""The command: from the lines of one file to the outcomes in another."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final

import attrs
import trio
import typer
from rich.text import Text

from trio_llm.chat import Cost, Reply, Request
from trio_llm.cli.attempts import as_data
from trio_llm.cli.batch.journal import Journal
from trio_llm.cli.batch.lines import Line, read_lines
from trio_llm.cli.batch.meter import Meter
from trio_llm.cli.exits import ExitCode, finish
from trio_llm.cli.live import redrawn
from trio_llm.cli.notices import say_if_simulated
from trio_llm.cli.options import ConfigPath, debug_of, examples
from trio_llm.cli.reading import open_input
from trio_llm.cli.terminal import Terminal, printable
from trio_llm.config import load_config
from trio_llm.endpoint import CallOptions, Endpoint
from trio_llm.errors import LLMError
from trio_llm.runtime import open_runtime

EPILOG = examples(
    "trio-llm batch in.jsonl -o out.jsonl",
    "trio-llm batch in.jsonl -o out.jsonl --limit 32 --via fast",
    "trio-llm batch in.jsonl -o out.jsonl --retry-failed",
    "jq -c '.questions[]' all.json | trio-llm batch - -o out.jsonl",
)

_MOST_COMPLAINTS: Final = 20
"""Lines that are complained about one by one; the output has all of them."""


def batch(
    context: typer.Context,
    source: Annotated[
        Path,
        typer.Argument(
            metavar="IN",
            help='JSON Lines: each line a string, or {"prompt": ...} or {"messages": [...]}, '
            "with id, system, model, max_tokens, temperature, ... as you like; "
            "- reads them from standard input.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="One line for each outcome, as they come. If it is there, the batch goes on "
            "where it stopped.",
            show_default=False,
            dir_okay=False,
        ),
    ],
    config: ConfigPath = None,
    via: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Ask this provider or balancer, not the default."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many calls at once.")] = 8,
    model: Annotated[str | None, typer.Option(help="The model, for lines that name none.")] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="At most so many tokens an answer, likewise.")
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Ask the lines again that failed before.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Drop what is in OUT, and ask everything anew.")
    ] = False,
) -> None:
    """Answer many prompts; interrupt it when you like, and run it again to go on.

    Every line gets one outcome in OUT: an answer, or an error. A line that is
    malformed is reported with its number, and the rest go on. Exit code 1 if any
    line of this run failed.
    """
    terminal = Terminal()
    if fresh and retry_failed:
        terminal.fail("--fresh and --retry-failed exclude each other; give one of them")
        raise typer.Exit(ExitCode.USAGE)
    # Opened before Trio runs: a Ctrl-C must end the waiting for input.
    try:
        file, identity = open_input(source)
    except OSError as error:
        terminal.fail(f"{source} cannot be read: {error.strerror}")
        raise typer.Exit(ExitCode.USAGE) from None

    async def command() -> ExitCode:
        loaded = load_config(config)
        say_if_simulated(loaded, config, terminal)
        common: CallOptions = {"model": model, "max_tokens": max_tokens}
        # The output is touched last: nothing that is wrong before it shall cost an answer.
        async with open_runtime(loaded) as runtime:
            endpoint = runtime if via is None else runtime.provider(via)
            with Journal(output, identity, fresh=fresh, again=retry_failed) as journal:
                total, done = _survey(file, journal)
                journal.forget_failures()
                meter = Meter(total, done, trio.current_time)
                work = _Work(file, journal, meter, terminal, common)
                try:
                    async with redrawn(
                        terminal.err, meter.picture, live=terminal.live, transient=True
                    ):
                        await work.run(endpoint, limit)
                finally:
                    terminal.remark(Text(meter.closing()))
                    if meter.finished < total:
                        terminal.hint("run the same command again to go on where it stopped")
        return ExitCode.FAILED if meter.failed else ExitCode.OK

    with file:
        finish(command, terminal, debug=debug_of(context))


def _survey(file: BinaryIO, journal: Journal) -> tuple[int, int]:
    """Count the lines, and those that need not be asked.

    Raises:
        ConfigError: The input is not the one that the output belongs to.
    """
    total = done = 0
    for line in read_lines(file, {}):
        total += 1
        done += journal.has(line)
    return total, done


@attrs.define(eq=False)
class _Work:
    """One run over the lines that have no outcome yet."""

    file: BinaryIO
    journal: Journal
    meter: Meter
    terminal: Terminal
    common: CallOptions
    _asked: dict[int, Line] = attrs.field(factory=dict[int, Line], init=False)
    _complaints: int = attrs.field(default=0, init=False)

    async def run(self, endpoint: Endpoint, limit: int) -> None:
        """Ask every line; write each outcome as it comes."""
        async with endpoint.batch(self._requests(), limit=limit) as outcomes:
            async for index, outcome in outcomes:
                self._settle(self._asked.pop(index), outcome)

    def _requests(self) -> Iterator[Request]:
        """Give what is to be asked; settle the malformed lines on the way."""
        index = 0
        for line in read_lines(self.file, self.common):
            if self.journal.has(line):
                continue
            if line.request is None:
                fault = f"line {line.number}: {line.fault}"
                self.journal.write(line, {"error": _error_data("InvalidRequestError", fault)})
                self.meter.went_wrong()
                self._complain(fault)
                continue
            self._asked[index] = line
            index += 1
            yield line.request

    def _settle(self, line: Line, outcome: Reply | LLMError) -> None:
        if isinstance(outcome, LLMError):
            said = str(outcome)
            self.journal.write(line, {"error": _error_data(type(outcome).__name__, said)})
            self.meter.went_wrong(Cost.total([each.cost for each in outcome.attempts]))
            self._complain(f"line {line.number}: {said} [{type(outcome).__name__}]")
            return
        self.meter.answered(outcome)
        self.journal.write(line, as_data(outcome))

    def _complain(self, text: str) -> None:
        self._complaints += 1
        if self._complaints <= _MOST_COMPLAINTS:
            self.terminal.fail(printable(text))
        elif self._complaints == _MOST_COMPLAINTS + 1:
            self.terminal.hint("further failures are in the output alone")


def _error_data(kind: str, message: str) -> dict[str, Any]:
    return {"class": kind, "message": message}

"""How far a batch has come: the bar, its figures, and the closing line."""

from collections.abc import Callable

import attrs
from rich.console import RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from trio_llm.chat import NOTHING, UNKNOWN, Cost, Reply
from trio_llm.cli.amounts import duration, money

_WINDOW = 30.0
"""Seconds over which the rate is taken, so that it follows a change of pace."""


@attrs.define(eq=False)
class Meter:
    """Counts outcomes as they come.

    Args:
        total: Lines of the input.
        done: Lines that had an outcome before.
        clock: Gives the time in seconds.

    Attributes:
        succeeded: Lines answered in this run.
        failed: Lines that failed in this run, malformed ones included.
        tokens: Tokens of this run, input and output together.
        cost: What this run has cost, failures included.
    """

    total: int
    done: int
    clock: Callable[[], float]
    succeeded: int = attrs.field(default=0, init=False)
    failed: int = attrs.field(default=0, init=False)
    tokens: int = attrs.field(default=0, init=False)
    cost: Cost = attrs.field(default=NOTHING, init=False)
    _began: float = attrs.field(init=False)
    _marks: list[tuple[float, int]] = attrs.field(factory=list[tuple[float, int]], init=False)
    _bar: ProgressBar = attrs.field(factory=lambda: ProgressBar(width=30), init=False)

    def __attrs_post_init__(self) -> None:
        self._began = self.clock()
        self._marks.append((self._began, 0))

    @property
    def finished(self) -> int:
        """Lines with an outcome, those of earlier runs included."""
        return self.done + self.succeeded + self.failed

    def answered(self, reply: Reply) -> None:
        """Count an answer."""
        self.succeeded += 1
        self.tokens += reply.usage.total_tokens
        self.cost += reply.cost
        self._mark()

    def went_wrong(self, cost: Cost = NOTHING) -> None:
        """Count a line that failed, and what its attempts have cost."""
        self.failed += 1
        self.cost += cost
        self._mark()

    def _mark(self) -> None:
        now = self.clock()
        if now - self._marks[-1][0] >= 1.0:
            self._marks.append((now, self.succeeded + self.failed))
            while len(self._marks) > 2 and self._marks[1][0] < now - _WINDOW:
                del self._marks[0]

    @property
    def rate(self) -> float:
        """Lines per second of late."""
        began, count = self._marks[0]
        elapsed = self.clock() - began
        return (self.succeeded + self.failed - count) / elapsed if elapsed > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """How long it will take at the present rate; ``None`` while there is none."""
        left = max(0, self.total - self.finished)
        return left / self.rate if self.rate else None

    def picture(self) -> RenderableType:
        """Give the bar and its figures, on one line."""
        self._bar.update(self.finished, max(1, self.total))
        line = Table.grid(padding=(0, 1))
        line.add_row(self._bar, Text(f"{self.finished}/{self.total}", "bold"), self._figures())
        return line

    def _figures(self) -> Text:
        left = self.seconds_left
        figures = Text(f"{self.rate:.1f}/s", no_wrap=True, overflow="ellipsis")
        if left is not None:
            figures.append(f" · {duration(left)} left")
        figures.append(f" · {self._cost()} · {self.tokens} tokens")
        if self.failed:
            figures.append(f" · {self.failed} failed", "red")
        return figures

    def _cost(self) -> str:
        return "cost unknown" if self.cost == UNKNOWN else money(self.cost)

    def closing(self) -> str:
        """Say how it went."""
        elapsed = self.clock() - self._began
        earlier = f", {self.done} were there before" if self.done else ""
        return (
            f"{self.succeeded} answered, {self.failed} failed{earlier}; {self.tokens} tokens, "
            f"{self._cost()}, {duration(elapsed)}"
        )

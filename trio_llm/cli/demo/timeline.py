"""Attempts as bars over time, drawn from the runtime's events."""

import attrs
import trio
from rich.table import Table
from rich.text import Text

from trio_llm import events
from trio_llm.chat import AttemptOutcome
from trio_llm.cli.attempts import STYLES, seconds

_OUTCOMES: dict[type[events.Event], AttemptOutcome] = {
    events.AttemptSucceeded: AttemptOutcome.SUCCEEDED,
    events.AttemptFailed: AttemptOutcome.FAILED,
    events.AttemptCancelled: AttemptOutcome.CANCELLED,
}


@attrs.define
class Bar:
    """One attempt on the timeline; times on Trio's clock."""

    name: str
    started: float
    first_token: float | None = None
    ended: float | None = None
    outcome: AttemptOutcome | None = None
    reason: str = ""


@attrs.define
class Timeline:
    """Collects the attempts of a scene and draws them.

    Args:
        names: The providers, in the order of their rows.
        span: Seconds that the picture covers at first; it grows when they pass.
        width: Columns of a bar.
    """

    names: tuple[str, ...]
    span: float
    width: int
    _began: float = attrs.field(factory=trio.current_time, init=False)
    _bars: dict[object, Bar] = attrs.field(factory=dict[object, Bar], init=False)

    def observe(self, event: events.Event) -> None:
        """Take an event into account."""
        key = (event.call, event.path, getattr(event, "number", None))
        if isinstance(event, events.AttemptStarted):
            self._bars[key] = Bar(event.actor, event.time)
        elif isinstance(event, events.FirstToken):
            self._bars[key].first_token = event.time
        elif type(event) in _OUTCOMES:
            bar = self._bars[key]
            bar.ended, bar.outcome = event.time, _OUTCOMES[type(event)]
            error = getattr(event, "error", "")
            bar.reason = error or getattr(event, "reason", "")

    def picture(self) -> Table:
        """Draw what is known now."""
        now = trio.current_time()
        ends = [now if bar.ended is None else bar.ended for bar in self._bars.values()]
        span = max([self.span, *[end - self._began for end in ends]])
        table = Table(box=None, padding=(0, 1), show_header=False)
        table.add_column(style="bold", no_wrap=True)
        table.add_column(no_wrap=True, width=self.width)
        table.add_column(overflow="fold")
        for bar in sorted(self._bars.values(), key=lambda bar: self.names.index(bar.name)):
            table.add_row(bar.name, self._drawn(bar, now, span), _remark(bar, now))
        table.add_row("", Text(axis(span, self.width), "dim"), "")
        return table

    def _drawn(self, bar: Bar, now: float, span: float) -> Text:
        def column(time: float) -> int:
            return round((time - self._began) / span * self.width)

        end = column(now if bar.ended is None else bar.ended)
        begin = min(column(bar.started), self.width - 1)
        end = max(end, begin + 1)
        first = end if bar.first_token is None else min(max(column(bar.first_token), begin), end)
        style = "cyan" if bar.outcome is None else STYLES[bar.outcome]
        if bar.first_token is None:
            return Text(" " * begin + "━" * (end - begin), style)
        # Waiting is thin, writing is thick.
        return Text(" " * begin + "─" * (first - begin) + "█" * max(1, end - first), style)


def axis(span: float, width: int) -> str:
    """Give the line below a picture: from 0 to so many seconds."""
    label = seconds(span)
    return "0" + "·" * (width - 1 - len(label)) + label


def _remark(bar: Bar, now: float) -> Text:
    if bar.outcome is None or bar.ended is None:
        return Text(seconds(now - bar.started), "cyan")
    remark = Text(
        f"{bar.outcome.value} after {seconds(bar.ended - bar.started)}", STYLES[bar.outcome]
    )
    if bar.reason:
        remark.append(f", {bar.reason}", "dim")
    return remark

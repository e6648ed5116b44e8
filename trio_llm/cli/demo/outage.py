"""The scene in which a server goes down and comes back: its circuit breaker over time."""

from collections.abc import Mapping
from typing import Final

import attrs
import trio
from rich.console import Group
from rich.table import Table
from rich.text import Text

from trio_llm import events
from trio_llm.cli.attempts import seconds
from trio_llm.cli.demo.servers import Servers
from trio_llm.cli.demo.stage import Stage
from trio_llm.cli.demo.timeline import axis
from trio_llm.config import Config, Fallback
from trio_llm.runtime import Runtime, open_runtime
from trio_llm.testing.upstream import Behaviour

_CALLS: Final = 9
_MOST_CALLS: Final = 30
_DOWN: Final = range(3, 6)
"""The calls during which the first server is down."""

_MARKS: Final[Mapping[str, tuple[str, str]]] = {
    "closed": ("█", "green"),
    "open": ("░", "red"),
    "half_open": ("▓", "yellow"),
}
"""How each state of a breaker is drawn."""


@attrs.define
class BreakerLine:
    """Draws the states of one breaker over time, and what became of the calls.

    Args:
        name: Whose breaker it is.
        span: Seconds that the picture covers at first; it grows when they pass.
        width: Columns of the bar.
    """

    name: str
    span: float
    width: int
    _began: float = attrs.field(factory=trio.current_time, init=False)
    _states: list[tuple[float, str]] = attrs.field(init=False)
    _calls: list[tuple[float, str]] = attrs.field(factory=list[tuple[float, str]], init=False)

    def __attrs_post_init__(self) -> None:
        self._states = [(self._began, "closed")]

    def observe(self, event: events.Event) -> None:
        """Take a record into account."""
        if isinstance(event, events.BreakerChanged) and event.actor == self.name:
            self._states.append((event.time, event.new))

    def called(self, started: float, mark: str) -> None:
        """Note what became of a call that began at an instant on Trio's clock."""
        self._calls.append((started, mark))

    @property
    def state(self) -> str:
        """The state that was recorded last."""
        return self._states[-1][1]

    def picture(self) -> Table:
        """Draw what is known now."""
        now = trio.current_time()
        span = max(self.span, now - self._began)
        bar = Text()
        for index, (start, state) in enumerate(self._states):
            end = self._states[index + 1][0] if index + 1 < len(self._states) else now
            mark, style = _MARKS.get(state, ("?", "red"))
            # However short a state was, it is seen.
            least = bar.cell_len + (1 if end > start else 0)
            columns = max(self._column(end, span), least) - bar.cell_len
            bar.append(mark * columns, style)
        calls = Text()
        for started, mark in self._calls:
            calls.append(" " * (self._column(started, span) - calls.cell_len) + mark)
        table = Table(box=None, padding=(0, 1), show_header=False)
        table.add_column(style="bold", no_wrap=True)
        table.add_column(no_wrap=True, width=self.width)
        table.add_column(style="dim", overflow="fold")
        table.add_row(self.name, bar, "█ closed  ░ open  ▓ half open")
        table.add_row("calls", calls, "✓ answered  ✗ failed  → asked otto at once")
        table.add_row("", Text(axis(span, self.width), "dim"), "")
        return table

    def _column(self, time: float, span: float) -> int:
        return round((time - self._began) / span * self.width)


async def outage(stage: Stage, servers: Servers) -> None:
    """Take one server down for a while, and ask on."""
    well = Behaviour(latency=0.06 * stage.pace)
    servers["anna"].script = servers["otto"].script = well
    config = Config(
        providers={
            "anna": servers.provider("anna", rest=0.8 * stage.pace, failures=2),
            "otto": servers.provider("otto"),
        },
        default=Fallback(("anna", "otto"), name="reliable"),
    )
    table = Table(box=None, padding=(0, 1))
    for heading in ("call", "attempts, in turn", "latency", "anna's breaker"):
        table.add_column(heading, justify="right" if heading in {"call", "latency"} else "left")
    line = BreakerLine("anna", 2.5 * stage.pace, stage.bar)
    async with open_runtime(config) as llm:
        llm.subscribe(line.observe)
        async with stage.showing(lambda: Group(table, line.picture())):
            number = 1
            # On a busy machine the rest may end amid the outage; then it takes one more.
            while number <= _CALLS or (line.state != "closed" and number < _MOST_CALLS):
                down = number in _DOWN
                servers["anna"].script = Behaviour(status=503, message="down") if down else well
                await _one_call(llm, number, table, line)
                await stage.pause(0.2)
                number += 1


async def _one_call(llm: Runtime, number: int, table: Table, line: BreakerLine) -> None:
    started, before = trio.current_time(), line.state
    reply = await llm.generate(f"question {number}")
    steps = Text()
    for attempt in reply.attempts:
        steps.append(" → " if steps else "")
        mark = f"✗ {attempt.error}" if attempt.error else "✓"
        steps.append(f"{attempt.provider} {mark}", "red" if attempt.error else "green")
    first = reply.attempts[0]
    line.called(started, "→" if first.provider != line.name else "✗" if first.error else "✓")
    status = llm.provider(line.name).status_of()
    now = Text(status.breaker.replace("_", " "), _MARKS.get(status.breaker, ("", "red"))[1])
    if status.cooldown_remaining:
        now.append(f", {seconds(status.cooldown_remaining)} left")
    elif before != line.state == "closed":
        now.append(", by one probe")
    table.add_row(str(number), steps, seconds(reply.latency), now)

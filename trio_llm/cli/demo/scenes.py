"""What the demonstration shows, scene by scene."""

from collections import Counter
from collections.abc import Awaitable, Callable

import attrs
import trio
from rich.console import Group
from rich.table import Table
from rich.text import Text

from trio_llm.cli.attempts import seconds
from trio_llm.cli.demo.servers import Servers
from trio_llm.cli.demo.stage import Stage
from trio_llm.cli.demo.timeline import Timeline
from trio_llm.config import Config, Fallback, LoadBalance, Race
from trio_llm.errors import StreamInterruptedError
from trio_llm.runtime import Runtime, open_runtime
from trio_llm.testing.upstream import Behaviour, Fault


@attrs.frozen
class Scene:
    """One scene."""

    title: str
    caption: str
    play: Callable[[Stage, Servers], Awaitable[None]]


async def _race(stage: Stage, servers: Servers) -> None:
    for name, latency in (("anna", 1.5), ("otto", 0.7), ("olga", 1.1)):
        servers[name].script = Behaviour(latency=latency * stage.pace)
    seen = servers.seen()
    config = Config(providers=servers.providers(), default=Race(name="race"))
    async with open_runtime(config) as llm:
        timeline = Timeline(tuple(config.providers), 1.5 * stage.pace, stage.bar)
        llm.subscribe(timeline.observe)
        async with stage.showing(timeline.picture):
            reply = await llm.generate("Who is quickest?")
        left = await servers.lost(seen)
    stage.say(
        f"{reply.provider} won after {seconds(reply.latency)}; "
        f"{' and '.join(left) or 'nobody else'} saw the connection close before answering."
    )


_CALLS = 9
_OUTAGE = range(3, 6)
"""The calls during which the first server is out."""


async def _outage(stage: Stage, servers: Servers) -> None:
    well = Behaviour(latency=0.1 * stage.pace)
    servers["anna"].script = servers["otto"].script = well
    config = Config(
        providers={
            "anna": servers.provider("anna", rest=1.0 * stage.pace, failures=2),
            "otto": servers.provider("otto"),
        },
        default=Fallback(("anna", "otto"), name="reliable"),
    )
    table = Table(box=None, padding=(0, 1))
    for heading in ("call", "attempts, in turn", "latency", "anna is now"):
        table.add_column(heading, justify="right" if heading in {"call", "latency"} else "left")
    async with open_runtime(config) as llm, stage.showing(lambda: table):
        for number in range(1, _CALLS + 1):
            out = number in _OUTAGE
            servers["anna"].script = Behaviour(status=503, message="down") if out else well
            await _one_call(llm, number, table)
            await stage.pause(0.3)


async def _one_call(llm: Runtime, number: int, table: Table) -> None:
    reply = await llm.generate(f"question {number}")
    steps = Text()
    for attempt in reply.attempts:
        steps.append(" → " if steps else "")
        style = "red" if attempt.error else "green"
        mark = f"✗ {attempt.error}" if attempt.error else "✓"
        steps.append(f"{attempt.provider} {mark}", style)
    state = llm.provider("anna").status_of()
    rest = f", {seconds(state.cooldown_remaining)} left" if state.cooldown_remaining else ""
    style = "yellow" if rest else "green"
    table.add_row(str(number), steps, seconds(reply.latency), Text(f"{state.state}{rest}", style))


_SHARES = {"anna": 0.5, "otto": 0.3, "olga": 0.2}
_LOAD = 60


async def _balance(stage: Stage, servers: Servers) -> None:
    for name in _SHARES:
        servers[name].script = Behaviour(latency=0.25 * stage.pace)
    config = Config(
        providers=servers.providers(),
        default=LoadBalance(tuple(_SHARES), strategy="weighted", weights=_SHARES, name="spread"),
    )
    answered: Counter[str] = Counter()

    def picture() -> Table:
        table = Table(box=None, padding=(0, 1))
        for heading in ("server", "", "answered", "wanted", "got"):
            table.add_column(heading, justify="left" if heading in {"server", ""} else "right")
        for name, share in _SHARES.items():
            count = answered[name]
            got = count / max(1, answered.total())
            bar = Text("█" * round(count / _LOAD * stage.bar), "green")
            bar.pad_right(stage.bar - len(bar))
            table.add_row(Text(name, "bold"), bar, str(count), f"{share:.0%}", f"{got:.0%}")
        return table

    async def ask(llm: Runtime, number: int) -> None:
        reply = await llm.generate(f"question {number}")
        answered[reply.provider] += 1

    started = trio.current_time()
    async with (
        open_runtime(config) as llm,
        stage.showing(picture),
        trio.open_nursery() as nursery,
    ):
        for number in range(_LOAD):
            nursery.start_soon(ask, llm, number)
            await stage.pause(0.025)
    stage.say(f"{answered.total()} calls in {seconds(trio.current_time() - started)}.")


_STORY = (
    "Once ", "there ", "was ", "a ", "stream ", "that ", "nobody ", "saw ", "break, ",
    "for ", "another ", "had ", "the ", "words ", "before ", "the ", "first ", "was ", "due.",
)  # fmt: skip


async def _streams(stage: Stage, servers: Servers) -> None:
    gap = 0.08 * stage.pace
    servers["olga"].script = Behaviour(
        latency=0.3 * stage.pace, fault=Fault.RESET_MIDWAY, fault_after=0
    )
    servers["anna"].script = Behaviour(latency=0.2 * stage.pace, gap=gap, chunks=_STORY)
    config = Config(
        providers={name: servers.provider(name) for name in ("olga", "anna")},
        default=Fallback(("olga", "anna"), name="reliable"),
    )
    written: list[str] = []
    async with open_runtime(config) as llm:
        timeline = Timeline(tuple(config.providers), 2.2 * stage.pace, stage.bar)
        llm.subscribe(timeline.observe)

        def picture() -> Group:
            return Group(timeline.picture(), Text(f' "{"".join(written)}"'))

        async with stage.showing(picture), llm.stream("Tell a story.") as stream:
            async for piece in stream.text():
                written.append(piece)  # noqa: PERF401 - the picture shows it growing
        # Once words have been given, no other server could go on with them.
        servers["anna"].script = Behaviour(
            gap=gap, chunks=_STORY, fault=Fault.RESET_MIDWAY, fault_after=5
        )
        stage.say(await _broken(llm))


async def _broken(llm: Runtime) -> Text:
    try:
        async with llm.provider("anna").stream("Tell it again.") as stream:
            async for _ in stream:
                pass
    except StreamInterruptedError as error:
        return Text(
            "A stream that breaks after its first words is an error that keeps them: "
            f'{type(error).__name__}, partial text "{error.partial_text}"'
        )
    return Text("The second stream did not break.")


SCENES = (
    Scene("Race", "All are asked at once; the first answer wins, the others are cancelled.", _race),
    Scene("Outage", "One is down for calls 3 to 5; the other answers, and it rests.", _outage),
    Scene("Load balance", "Sixty calls in shares of 50, 30 and 20 %.", _balance),
    Scene("Broken stream", "One breaks before its first word; the next tells the story.", _streams),
)
"""All scenes, in order."""

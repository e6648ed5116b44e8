"""Scenes in which several servers get the same question: race, hedge and consensus."""

from rich.console import Group
from rich.table import Table
from rich.text import Text

from trio_llm import events
from trio_llm.cli.attempts import seconds
from trio_llm.cli.demo.servers import Servers
from trio_llm.cli.demo.stage import Stage
from trio_llm.cli.demo.timeline import Timeline
from trio_llm.config import Config, Consensus, Hedge, Race
from trio_llm.runtime import open_runtime
from trio_llm.testing.upstream import Behaviour


async def race(stage: Stage, servers: Servers) -> None:
    """Let the quickest of three win."""
    for name, latency in (("anna", 1.2), ("otto", 0.5), ("olga", 0.9)):
        servers[name].script = Behaviour(latency=latency * stage.pace)
    seen = servers.seen()
    config = Config(providers=servers.providers(), default=Race(name="race"))
    async with open_runtime(config) as llm:
        timeline = Timeline(tuple(config.providers), 1.2 * stage.pace, stage.bar)
        llm.subscribe(timeline.observe)
        async with stage.showing(timeline.picture):
            reply = await llm.generate("Who is quickest?")
        left = await servers.lost(seen)
    stage.say(
        f"{reply.provider} won after {seconds(reply.latency)}; "
        f"{' and '.join(left) or 'nobody else'} saw the connection close before answering."
    )


async def hedge(stage: Stage, servers: Servers) -> None:
    """Let a second one help out when the first is slow."""
    slow, delay = 2.0 * stage.pace, 0.4 * stage.pace
    servers["anna"].script = Behaviour(latency=slow)
    servers["otto"].script = Behaviour(latency=0.3 * stage.pace)
    config = Config(
        providers={name: servers.provider(name) for name in ("anna", "otto")},
        default=Hedge(("anna", "otto"), delay=delay, name="prompt"),
    )
    started: list[events.HedgeStarted] = []

    def note(event: events.Event) -> None:
        if isinstance(event, events.HedgeStarted):
            started.append(event)

    async with open_runtime(config) as llm:
        timeline = Timeline(tuple(config.providers), 1.0 * stage.pace, stage.bar)
        llm.subscribe(timeline.observe)
        llm.subscribe(note)
        async with stage.showing(timeline.picture):
            reply = await llm.generate("Who is there?")
    for event in started:
        stage.say(
            f"anna was late after {seconds(event.after)}, so {event.member} was asked, too; "
            f"{reply.provider} answered after {seconds(reply.latency)}, "
            f"and anna alone would have taken {seconds(slow)}."
        )


_ANSWERS = {"anna": ("Paris", 0.4), "otto": ("paris.", 0.55), "olga": ("Lyon", 0.25)}
"""What each says to the question, and after how many seconds."""


async def consensus(stage: Stage, servers: Servers) -> None:
    """Let two of three agree."""
    for name, (word, latency) in _ANSWERS.items():
        servers[name].script = Behaviour(latency=latency * stage.pace, chunks=(word,))
    config = Config(providers=servers.providers(), default=Consensus(name="agreed"))
    groups: dict[str, list[str]] = {}

    def note(event: events.Event) -> None:
        if isinstance(event, events.VoteCast):
            groups.setdefault(event.group, []).append(event.member)

    async with open_runtime(config) as llm:
        timeline = Timeline(tuple(config.providers), 0.6 * stage.pace, stage.bar)
        llm.subscribe(timeline.observe)
        llm.subscribe(note)

        def picture() -> Group:
            return Group(timeline.picture(), _said(groups))

        async with stage.showing(picture):
            reply = await llm.generate("What is the capital of France?")
    best = reply.metadata["consensus_votes"][0]
    stage.say(
        f"{best['size']} of {len(_ANSWERS)} votes are for one answer: "
        f'"{reply.text}", in the words of {reply.provider}.'
    )


def _said(groups: dict[str, list[str]]) -> Table:
    """Give what has been said so far, and by whom."""
    table = Table(box=None, padding=(0, 1), show_header=False)
    table.add_column(style="bold")
    table.add_column()
    for first, members in groups.items():
        words = " = ".join(f'"{_ANSWERS[member][0]}"' for member in members)
        table.add_row(Text(", ".join(members or [first])), words)
    return table

"""What the demonstration shows, scene by scene."""

from collections import Counter
from collections.abc import Awaitable, Callable

import attrs
import trio
from rich.table import Table
from rich.text import Text

from trio_llm.cli.attempts import seconds
from trio_llm.cli.demo.outage import outage
from trio_llm.cli.demo.rivals import consensus, hedge, race
from trio_llm.cli.demo.servers import Servers
from trio_llm.cli.demo.stage import Stage
from trio_llm.cli.demo.streams import streams
from trio_llm.config import Config, LoadBalance
from trio_llm.runtime import Runtime, open_runtime
from trio_llm.testing.upstream import Behaviour


@attrs.frozen
class Scene:
    """One scene."""

    title: str
    caption: str
    play: Callable[[Stage, Servers], Awaitable[None]]


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
            await stage.pause(0.015)
    stage.say(f"{answered.total()} calls in {seconds(trio.current_time() - started)}.")


SCENES = (
    Scene("Race", "All are asked at once; the first answer wins, the others are cancelled.", race),
    Scene(
        "Hedge", "One is asked; when it is late, the next one, too. The first answer wins.", hedge
    ),
    Scene("Consensus", "All are asked; what most of them say is the answer.", consensus),
    Scene(
        "Circuit breaker",
        "One is down for calls 3 to 5; it is left alone, tried once, and back.",
        outage,
    ),
    Scene("Load balance", "Sixty calls in shares of 50, 30 and 20 %.", _balance),
    Scene("Broken stream", "One breaks off in the middle; the next goes on from there.", streams),
)
"""All scenes, in order."""

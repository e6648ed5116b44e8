"""The scene of a stream that breaks, and of another server that goes on with it."""

from typing import Final

from rich.console import Group
from rich.text import Text

from trio_llm.chat import Switched, TextDelta
from trio_llm.cli.demo.servers import Servers
from trio_llm.cli.demo.stage import Stage
from trio_llm.cli.demo.timeline import Timeline
from trio_llm.config import Config, Fallback
from trio_llm.errors import StreamInterruptedError
from trio_llm.runtime import Runtime, open_runtime
from trio_llm.testing.upstream import Behaviour, Fault

_STORY: Final = (
    "Once ", "there ", "was ", "a ", "stream ", "that ", "broke ", "off, ", "and ", "nobody ",
    "had ", "to ", "hear ", "the ", "beginning ", "twice.",
)  # fmt: skip

_BREAK: Final = 7
"""After how many words the first server breaks off."""


async def streams(stage: Stage, servers: Servers) -> None:
    """Break a stream off in the middle, with somebody to go on with it and without."""
    gap = 0.07 * stage.pace
    servers["olga"].script = Behaviour(
        latency=0.2 * stage.pace,
        gap=gap,
        chunks=_STORY,
        fault=Fault.RESET_MIDWAY,
        fault_after=_BREAK,
    )
    servers["anna"].script = Behaviour(latency=0.2 * stage.pace, gap=gap, chunks=_STORY[_BREAK:])
    config = Config(
        providers={name: servers.provider(name) for name in ("olga", "anna")},
        default=Fallback(("olga", "anna"), on_interrupt="resume", name="reliable"),
    )
    written = Text(' "')
    async with open_runtime(config) as llm:
        timeline = Timeline(tuple(config.providers), 1.6 * stage.pace, stage.bar)
        llm.subscribe(timeline.observe)
        async with (
            stage.showing(lambda: Group(timeline.picture(), written)),
            llm.stream("Tell a story.") as stream,
        ):
            async for event in stream:
                if isinstance(event, TextDelta):
                    written.append(event.text)
                elif isinstance(event, Switched):
                    written.append(f"[{event.provider} goes on] ", "dim")
            written.append('"')
        stage.say(await _unmended(llm))


async def _unmended(llm: Runtime) -> Text:
    """Have the stream break where the policy is to fail."""
    try:
        async with llm.stream("Tell it again.", on_interrupt="fail") as stream:
            async for _ in stream:
                pass
    except StreamInterruptedError as error:
        return Text(
            "Where nobody is to go on it is an error that keeps the words: "
            f'{type(error).__name__}, partial text "{error.partial_text}"'
        )
    return Text("The second stream did not break.")

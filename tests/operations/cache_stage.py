"""What the tests of the cache at a runtime share: settings, and the kinds of what was given."""

from typing import Any

import attrs

from tests.operations.operations_stage import Stage
from trio_llm import CacheSettings, Config, Finished, Reply, Runtime, StreamEvent
from trio_llm.config.schema import Member

ON = CacheSettings(mode="on", ttl=60.0)


def caching(member: Member, **settings: Any) -> Config:
    """Configure one member, with a cache and further settings of it."""
    return Config(default=member, cache=attrs.evolve(ON, **settings))


async def read(
    llm: Runtime, prompt: str = "hello", **options: Any
) -> tuple[list[StreamEvent], Reply]:
    """Read a stream to its end."""
    async with llm.stream(prompt, **options) as stream:
        events = [event async for event in stream]
        assert events[-1] == Finished(stream.reply)
        return events[:-1], stream.reply


def asked(stage: Stage) -> int:
    """Give how many attempts there were at all providers."""
    return sum(script.started for script in stage.scripts.values())

"""A runtime that is being closed, or has been, gives nobody an answer that it has kept."""

import pytest

from trio_llm import CacheSettings, Config, Provider, ProviderUnavailableError, Runtime
from trio_llm.testing import World, run

CONFIG = Config(default=Provider("simulated", "p"), cache=CacheSettings(mode="on"))


async def _refused(llm: Runtime) -> None:
    with pytest.raises(ProviderUnavailableError):
        await llm.generate("hello")
    with pytest.raises(ProviderUnavailableError):
        async with llm.stream("hello"):
            pass


def test_a_closed_runtime_gives_no_kept_answer() -> None:
    """Neither at once nor as a stream: the error is that of any call to it."""

    async def scenario(world: World) -> None:
        async with world.open(CONFIG) as llm:
            await llm.generate("hello")
            assert (await llm.generate("hello")).cached == "hit"
            counts = llm.cache.statistics()
        await _refused(llm)
        assert llm.cache.statistics() == counts

    run(scenario)

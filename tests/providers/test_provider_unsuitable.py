"""Requests that a provider cannot serve are not sent to it, and say why."""

import pytest

from tests.guarantees.scenes import Cast
from trio_llm import (
    AllProvidersFailed,
    Audio,
    Capability,
    Config,
    Fallback,
    File,
    Image,
    Message,
    Provider,
    ProviderUnavailableError,
    Simulation,
    Tool,
)
from trio_llm.chat import Part
from trio_llm.testing import Answers, World, run

NEEDING: dict[str, Part] = {
    "vision": Image(content=b"p", media_type="image/png"),
    "audio_input": Audio(b"s", "audio/wav"),
    "file_input": File(content=b"d", media_type="application/pdf"),
}


def test_a_request_that_is_too_long_goes_elsewhere() -> None:
    """By estimate, with a tenth to spare; a fallback passes it to its specialist for that."""

    async def scenario(world: World) -> None:
        cast = Cast()
        small = cast.provider("small", Answers("short"), context_window=1000)
        large = cast.provider("large", Answers("long"))
        tree = Fallback((small,), on_context_length=("large",))
        config = Config({"small": small, "large": large}, {"tree": tree}, default="tree")
        async with world.open(config) as llm:
            assert (await llm.generate("x" * 4380)).text == "short"  # 1,099 tokens
            assert (await llm.generate("x" * 4400)).text == "long"  # 1,104 tokens
            assert (await llm.generate("x" * 2000, max_tokens=600)).text == "long"
            with pytest.raises(ProviderUnavailableError) as caught:
                await llm.provider("small").generate("x" * 2000, max_tokens=600)
            assert caught.value.code == "context_length"
            assert "1104 tokens, 600 of them for the answer, by estimate" in str(caught.value)
            assert "has 1000" in str(caught.value)
        assert cast.scripts["small"].started == 1

    run(scenario)


def test_the_providers_own_limit_on_the_answer_counts() -> None:
    """A request for more output than the provider gives needs no more room than that."""

    async def scenario(world: World) -> None:
        provider = Cast().provider("a", Answers(), context_window=1000, max_tokens_per_request=100)
        async with world.open(Config(default=provider)) as llm:
            await llm.generate("hello", max_tokens=5000)

    run(scenario)


@pytest.mark.parametrize("need", NEEDING)
def test_what_a_kind_cannot_take_is_not_sent_to_it(need: str) -> None:
    """A simulated provider hears no sound and reads no file; who can is asked in its place."""

    async def scenario(world: World) -> None:
        deaf = Provider("simulated", "deaf", simulation=Simulation(latency=0.0))
        able = Cast().provider("able", Answers("heard"))
        prompt = [Message("user", (NEEDING[need],))]
        async with world.open(Config(default=Fallback((deaf, able)))) as llm:
            reply = await llm.generate(prompt)
            assert reply.provider == ("deaf" if need == "vision" else "able")

    run(scenario)


def test_what_a_provider_does_not_declare_is_not_sent_to_it() -> None:
    """The declared abilities are what counts, and the error names what is missing."""

    async def scenario(world: World) -> None:
        cast = Cast()
        plain = cast.provider("plain", Answers(), capabilities=(Capability.CHAT,))

        def look(place: str) -> str:
            return place

        async with world.open(Config(default=Fallback((plain,)))) as llm:
            with pytest.raises(AllProvidersFailed) as caught:
                await llm.generate("hello", tools=[Tool.from_function(look)])
            assert "it does not offer tools" in str(caught.value)
        assert cast.started == 0

    run(scenario)

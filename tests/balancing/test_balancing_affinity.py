"""A conversation stays at the member that served it, while that can take the call."""

from collections import Counter
from collections.abc import Sequence

import pytest
import trio

from tests.guarantees.scenes import Cast
from trio_llm import (
    AllProvidersFailed,
    Config,
    EmbedRequest,
    Image,
    LoadBalance,
    Message,
    ModerateRequest,
    Provider,
    ProviderStatus,
    Reply,
    Request,
    Runtime,
    Text,
)
from trio_llm.balancing.load_balance import beginning
from trio_llm.config.schema import LOAD_BALANCE_STRATEGIES
from trio_llm.testing import (
    Answers,
    Fails,
    Judges,
    RateLimits,
    ScriptedProvider,
    World,
    explore,
    run,
    seeds,
)


class _Backwards:
    def order(self, _request: Request, members: Sequence[ProviderStatus]) -> list[str]:
        """Give the last member first."""
        return [member.name for member in reversed(members)]


def _tree(strategy: str, members: list[Provider]) -> Config:
    weights = {str(member.name): 1.0 for member in members} if strategy == "weighted" else {}
    selection = _Backwards() if strategy == "custom" else None
    return Config(
        default=LoadBalance(
            members, strategy=strategy, weights=weights, selection=selection, affinity=True
        )
    )


async def _talk(llm: Runtime, topic: str, turns: int) -> list[str]:
    """Hold a conversation of some turns; give who answered each."""
    conversation = [Message("system", "Be brief."), Message("user", topic)]
    providers: list[str] = []
    for turn in range(turns):
        reply = await llm.generate(conversation)
        providers.append(reply.provider)
        conversation += [reply.message, Message("user", f"And then? ({turn})")]
    return providers


@pytest.mark.parametrize("strategy", LOAD_BALANCE_STRATEGIES)
def test_a_conversation_stays_where_it_began(strategy: str) -> None:
    """All turns of a conversation go to one member, in every order."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [cast.provider(name, Answers(after=0.1)) for name in "abc"]
        async with world.open(_tree(strategy, members)) as llm:
            for topic in range(6):
                assert len(set(await _talk(llm, f"topic {topic}", 4))) == 1

    explore(scenario, seeds=seeds(200, share=100, least=3))


def test_conversations_are_spread() -> None:
    """Each new one goes to the member whose turn it is, and turns of it count there."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [cast.provider(name, Answers()) for name in "abc"]
        async with world.open(_tree("round_robin", members)) as llm:
            began = Counter([(await _talk(llm, f"topic {topic}", 3))[0] for topic in range(9)])
        assert began == {"a": 3, "b": 3, "c": 3}

    run(scenario)


def test_while_its_member_rests_another_serves_it_and_keeps_it() -> None:
    """The one that took over is remembered, so that a new cache is used in its turn."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider("a", [Answers(), RateLimits(60.0), Answers()]),
            cast.provider("b", Answers()),
        ]
        async with world.open(_tree("round_robin", members)) as llm:
            assert await _talk(llm, "topic", 1) == ["a"]
            with pytest.raises(AllProvidersFailed):
                await _talk(llm, "topic", 1)
            assert await _talk(llm, "topic", 2) == ["b", "b"]
            await trio.sleep(60.0)
            assert await _talk(llm, "topic", 2) == ["b", "b"]

    run(scenario)


def test_a_member_that_is_full_passes_the_conversation_on() -> None:
    """A prompt cache is no reason to wait in line."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider("a", Answers(after=1.0), max_concurrency=1),
            cast.provider("b", Answers(after=1.0), max_concurrency=1),
        ]
        async with world.open(_tree("round_robin", members)) as llm:
            assert await _talk(llm, "topic", 1) == ["a"]
            async with trio.open_nursery() as nursery:
                nursery.start_soon(llm.provider("a").generate, "hi")
                await trio.sleep(0.5)
                assert await _talk(llm, "topic", 1) == ["b"]

    run(scenario)


def test_who_failed_is_not_remembered() -> None:
    """Only a success binds a conversation to a member."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [cast.provider("a", [Fails(), Answers()]), cast.provider("b", Answers())]
        async with world.open(_tree("round_robin", members)) as llm:
            with pytest.raises(AllProvidersFailed):
                await _talk(llm, "topic", 1)
            assert await _talk(llm, "topic", 2) == ["b", "b"]

    run(scenario)


def test_streams_are_remembered_too() -> None:
    """A stream and a plain call of one conversation go to the same member."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [cast.provider(name, Answers()) for name in "abc"]
        async with world.open(_tree("round_robin", members)) as llm:
            await llm.generate("another")
            async with llm.stream("topic") as stream:
                assert [text async for text in stream.text()]
            again: list[Reply] = [await llm.generate("topic") for _ in range(3)]
        assert {reply.provider for reply in again} == {stream.provider} == {"b"}

    run(scenario)


def test_the_preferred_member_goes_before_the_one_that_served() -> None:
    """What a call says is stronger than what was; and then that member is remembered."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [cast.provider(name, Answers()) for name in "abc"]
        async with world.open(_tree("round_robin", members)) as llm:
            assert (await llm.generate("topic")).provider == "a"
            assert (await llm.generate("topic", prefer="c")).provider == "c"
            assert (await llm.generate("topic")).provider == "c"

    run(scenario)


def test_without_affinity_the_turn_goes_round() -> None:
    """It is off unless the configuration says otherwise."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [cast.provider(name, Answers()) for name in "abc"]
        async with world.open(Config(default=LoadBalance(members))) as llm:
            assert await _talk(llm, "topic", 3) == ["a", "b", "c"]

    run(scenario)


def test_operations_belong_to_no_conversation() -> None:
    """They go by turns."""

    async def scenario(world: World) -> None:
        scripts = {name: ScriptedProvider(Judges(), [ModerateRequest]) for name in "ab"}
        members = [Provider("custom", name, cls=script) for name, script in scripts.items()]
        async with world.open(_tree("round_robin", members)) as llm:
            for _ in range(4):
                await llm.moderate("fine")
        assert [script.started for script in scripts.values()] == [2, 2]

    run(scenario)


_IMAGE = Image(content=b"x", media_type="image/png")
_SYSTEM, _ASKS = Message("system", "Be brief."), Message("user", "Why?")


@pytest.mark.parametrize(
    "longer",
    [
        [_SYSTEM, _ASKS, Message("assistant", "Because."), Message("user", "Really?")],
        [_SYSTEM, _ASKS, Message("assistant", "Because."), Message("system", "Now at length.")],
        [_SYSTEM, Message("user", [Text("Why?"), _IMAGE])],
    ],
)
def test_what_comes_later_does_not_change_the_key(longer: list[Message]) -> None:
    """The key is made of the system texts and the first text of the user."""
    assert beginning(Request(messages=longer)) == beginning(Request(messages=[_SYSTEM, _ASKS]))


@pytest.mark.parametrize(
    "other",
    [
        [_ASKS],
        [_SYSTEM, Message("user", "How?")],
        [Message("system", "Be long."), _ASKS],
        [_SYSTEM, Message("system", "Be kind."), _ASKS],
    ],
)
def test_another_beginning_is_another_key(other: list[Message]) -> None:
    """Any difference in what stays fixed makes another conversation."""
    assert beginning(Request(messages=other)) != beginning(Request(messages=[_SYSTEM, _ASKS]))


def test_without_a_text_there_is_no_key() -> None:
    """A prompt of images alone, and an operation, are bound to nobody."""
    assert beginning(Request(messages=[Message("user", [_IMAGE])])) is None
    assert beginning(EmbedRequest(texts="hi")) is None

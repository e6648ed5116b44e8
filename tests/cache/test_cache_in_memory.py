"""Answers in memory are kept as they are where nobody can change them, and as bytes elsewhere."""

import math
from collections.abc import Awaitable, Callable

from hypothesis import given

from tests.cache.cache_values import REPLIES, Bench, plan_of, reply
from trio_llm import Message, Reply, ToolCall
from trio_llm.cache import AnswerCache
from trio_llm.cache.codec import Codec, Kept
from trio_llm.cache.fleeting import size_as_it_is
from trio_llm.testing import World, run

KEY = b"k" * 32


def _in_memory(
    scenario: Callable[[AnswerCache, Bench], Awaitable[None]], **settings: object
) -> None:
    """Play something with a cache that keeps its answers in memory."""

    async def play(_world: World) -> None:
        bench = Bench()
        cache = AnswerCache(plan_of(**settings), bench.store, lambda: bench.now)
        await scenario(cache, bench)

    run(play)


async def _keep(cache: AnswerCache, kept: Reply, key: bytes = KEY) -> tuple[int, int] | None:
    return await cache.keep(key, kept, lambda: math.inf)


async def _kept(cache: AnswerCache, key: bytes = KEY) -> Kept | None:
    found = await cache.find(key)
    return None if found is None else found.kept


@given(given_reply=REPLIES)
def test_an_answer_comes_back_as_it_would_from_a_store(given_reply: Reply) -> None:
    """Whichever way it is kept, it is equal to what its bytes would have given."""
    kept = Kept.of(given_reply)

    async def scenario(cache: AnswerCache, _bench: Bench) -> None:
        if await _keep(cache, given_reply) is not None:
            assert await _kept(cache) == Codec.decode(Codec().encode(kept))

    _in_memory(scenario)


def test_what_a_caller_does_to_its_reply_changes_nothing_that_is_kept() -> None:
    """A table that can be changed is either copied or written before the caller has it."""

    async def scenario(cache: AnswerCache, _bench: Bench) -> None:
        metadata = {"fallback_provider": "a"}
        await _keep(cache, reply(metadata=metadata))
        metadata["fallback_provider"] = "z"
        kept = await _kept(cache)
        assert kept is not None
        assert kept.metadata == {"fallback_provider": "a"}

        votes = {"a": [1]}
        await _keep(cache, reply(metadata={"consensus_votes": votes}))
        votes["a"].append(2)
        kept = await _kept(cache)
        assert kept is not None
        assert kept.metadata == {"consensus_votes": {"a": [1]}}

        arguments = {"city": "Rome"}
        call = ToolCall("1", "weather", arguments)
        asked = Message("assistant", [call])
        await _keep(cache, reply(message=asked, finish_reason="tool_calls"))
        arguments["city"] = "Oslo"
        kept = await _kept(cache)
        assert kept is not None
        assert kept.message.tool_calls[0].arguments == {"city": "Rome"}

    _in_memory(scenario)


def test_long_answers_are_compressed_in_memory_too() -> None:
    """Above the threshold the size is that of the compressed bytes."""

    async def scenario(cache: AnswerCache, _bench: Bench) -> None:
        short = await _keep(cache, reply("x" * 500), b"s" * 32)
        long = await _keep(cache, reply("x" * 5_000))
        assert short is not None
        assert long is not None
        assert short[0] >= 500
        assert long[0] < 500
        kept = await _kept(cache)
        assert kept is not None
        assert kept.message.text == "x" * 5_000
        counts = cache.statistics()
        assert (counts.entries, counts.size) == (2, short[0] + long[0])

    _in_memory(scenario)


def test_the_limits_hold_in_memory_too() -> None:
    """The least recently used go beyond the entries and the bytes, and what is too large alone."""

    async def scenario(cache: AnswerCache, bench: Bench) -> None:
        for number in range(3):
            await _keep(cache, reply(str(number)), bytes([number]) * 32)
        assert await _kept(cache, bytes([0]) * 32) is not None
        kept = await _keep(cache, reply("3"), bytes([3]) * 32)
        assert kept is not None
        assert kept[1] == 1
        assert await _kept(cache, bytes([1]) * 32) is None
        await _keep(cache, reply("x" * 3_000))
        assert await _kept(cache) is None
        await _keep(cache, reply("x" * 1_500))
        assert cache.statistics().size <= 2_000
        counts = cache.statistics()
        assert (counts.stores, counts.hits, counts.misses) == (6, 1, 2)
        bench.now += 61.0
        assert await _kept(cache) is None
        await _keep(cache, reply("new"))
        assert cache.statistics().entries == 1  # what has expired went with it
        assert await cache.clear() == 1
        assert (cache.statistics().entries, cache.statistics().size) == (0, 0)

    _in_memory(scenario, entries=3, size=2_000, ttl=60.0, compression="none")


@given(given_reply=REPLIES)
def test_the_size_of_what_is_kept_as_it_is_covers_its_text(given_reply: Reply) -> None:
    """Nothing goes uncounted that grows with the answer."""
    size = size_as_it_is(Kept.of(given_reply))
    if size is not None:
        assert size >= len(given_reply.message.text.encode("utf-8", "surrogatepass"))

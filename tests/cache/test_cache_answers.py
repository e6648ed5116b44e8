"""What is kept is found for as long as it is good, within the limits, whatever the store does."""

import logging
import math
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest
import trio

from tests.cache.cache_values import Bench, plan_of, reply
from trio_llm import AttemptOutcome, ConfigError, Reply, Request, StoreError, Usage
from trio_llm.cache import AnswerCache, CacheStatistics
from trio_llm.chat import Attempt, Cost
from trio_llm.store import CachedAnswer, MemoryStore
from trio_llm.testing import World, run

KEY = b"k" * 32


def _key(number: int) -> bytes:
    return number.to_bytes(32, "big")


async def _keep(cache: AnswerCache, kept: Reply, key: bytes = KEY) -> tuple[int, int] | None:
    return await cache.keep(key, kept, lambda: math.inf)


async def _text(cache: AnswerCache, key: bytes = KEY) -> str | None:
    found = await cache.find(key)
    return None if found is None else found.kept.message.text


def _in_time(scenario: Callable[[Bench], Awaitable[None]]) -> None:
    """Play something at a bench."""

    async def play(_world: World) -> None:
        await scenario(Bench())

    run(play)


def test_an_answer_is_good_until_its_time_and_no_longer() -> None:
    """The limit is kept to the instant, by the clock on the wall."""

    async def scenario(bench: Bench) -> None:
        cache = bench.cache(ttl=60.0)
        await _keep(cache, reply("once"))
        bench.now += 60.0
        found = await cache.find(KEY)
        assert found is not None
        assert (found.age, found.kept.message.text) == (60.0, "once")
        bench.now += 0.001
        assert await cache.find(KEY) is None
        counts = cache.statistics()
        assert (counts.hits, counts.misses, counts.hit_rate) == (1, 1, 0.5)

    _in_time(scenario)


def test_a_clock_that_is_set_back_makes_no_answer_eternal() -> None:
    """An answer from the future is as good as one from the past: for its time."""

    async def scenario(bench: Bench) -> None:
        cache = bench.cache(ttl=60.0)
        await _keep(cache, reply("once"))
        bench.now -= 60.0
        found = await cache.find(KEY)
        assert found is not None
        assert found.age == 0.0
        bench.now -= 0.001
        assert await cache.find(KEY) is None

    _in_time(scenario)


def test_a_shorter_time_holds_at_once_and_a_longer_one_for_what_comes() -> None:
    """What a reload says of the time to live is kept to by the answers that there are."""

    async def scenario(bench: Bench) -> None:
        cache = bench.cache(ttl=60.0)
        await _keep(cache, reply("once"))
        bench.now += 30.0
        cache.adopt(plan_of(persistent=True, ttl=20.0))
        assert await cache.find(KEY) is None
        cache.adopt(plan_of(persistent=True, ttl=600.0))
        assert await _text(cache) == "once"
        bench.now += 31.0
        assert await cache.find(KEY) is None

    _in_time(scenario)


def test_a_stale_answer_is_given_for_so_long_beyond_its_time() -> None:
    """Never without the setting, and never later than that."""

    async def scenario(bench: Bench) -> None:
        cache = bench.cache(ttl=60.0, stale_if_error=30.0)
        await _keep(cache, reply("once"))
        bench.now += 90.0
        assert await cache.find(KEY) is None
        found = await cache.find_stale(KEY)
        assert found is not None
        assert found.age == 90.0
        bench.now += 0.001
        assert await cache.find_stale(KEY) is None
        assert cache.statistics().stale_hits == 1
        bench.now -= 20.0
        cache.adopt(plan_of(persistent=True, ttl=60.0))
        assert await cache.find_stale(KEY) is None

    _in_time(scenario)


def test_the_least_recently_used_goes_first() -> None:
    """Beyond the number of entries the one goes that nobody has asked for longest."""

    async def scenario(bench: Bench) -> None:
        cache = bench.cache(entries=3)
        for number in range(3):
            assert await _keep(cache, reply(str(number)), _key(number)) is not None
        assert await _text(cache, _key(0)) == "0"
        kept = await _keep(cache, reply("3"), _key(3))
        assert kept is not None
        assert kept[1] == 1
        there = [number for number in range(4) if await _text(cache, _key(number)) is not None]
        assert there == [0, 2, 3]
        counts = cache.statistics()
        assert (counts.entries, counts.stores, counts.evictions) == (3, 4, 1)

    _in_time(scenario)


def test_no_more_bytes_are_kept_than_are_allowed() -> None:
    """The size counts as it is kept, after compression; what is too large alone is not kept."""

    async def scenario(bench: Bench) -> None:
        cache = bench.cache(size=2_000, compression="none")
        for number in range(10):
            await _keep(cache, reply("x" * 400), _key(number))
            assert cache.statistics().size <= 2_000
        assert 2 <= cache.statistics().entries <= 4
        await _keep(cache, reply("x" * 5_000))
        assert await cache.find(KEY) is None
        cache.adopt(plan_of(persistent=True, size=2_000, compress_above=100))
        await _keep(cache, reply("x" * 5_000))
        assert await _text(cache) == "x" * 5_000
        assert cache.statistics().size <= 2_000

    _in_time(scenario)


@pytest.mark.parametrize(
    "more",
    [
        {"finish_reason": "length"},
        {"finish_reason": "content_filter"},
        {"finish_reason": "unknown"},
        {"degraded": "stale"},
        {"degraded": "default"},
        {"cached": "hit"},
        {"cached": "shared"},
        {"metadata": {"x": object()}},
    ],
    ids=lambda more: next(iter(more)),
)
def test_only_whole_and_good_replies_are_kept(more: dict[str, Any]) -> None:
    """Nothing truncated, filtered, degraded or given before is given again."""

    async def scenario(bench: Bench) -> None:
        cache = bench.cache()
        assert await _keep(cache, reply(**more)) is None
        assert await cache.find(KEY) is None
        assert cache.statistics() == CacheStatistics(misses=1)

    _in_time(scenario)


def test_what_belongs_to_the_first_call_alone_is_not_kept() -> None:
    """Times, attempts, cost and the raw body are not those of who is given the answer later."""

    async def scenario(bench: Bench) -> None:
        cache = bench.cache()
        attempt = Attempt("a", ("a",), "m", 1, AttemptOutcome.SUCCEEDED, 0.0, 1.0)
        first = reply("fine", attempts=(attempt,), cost=Cost(), raw={"id": 1}, usage=Usage(9, 8))
        await _keep(cache, first)
        found = await cache.find(KEY)
        assert found is not None
        names = {field.name for field in attrs.fields(type(found.kept))}
        assert names == {"message", "finish_reason", "usage", "provider", "model", "metadata"}
        assert found.kept.usage == Usage(9, 8)

    _in_time(scenario)


def test_what_cannot_be_read_is_dropped_and_counted_once(caplog: pytest.LogCaptureFixture) -> None:
    """It is a miss, and the next caller finds nothing at all."""

    async def scenario(bench: Bench) -> None:
        cache = bench.cache()
        for number in range(2):
            await _keep(cache, reply("good"), _key(number))
        answer = await bench.store.cached(_key(1))
        assert answer is not None
        damaged = attrs.evolve(answer, content=answer.content[:-1] + b"?")
        await bench.store.keep(damaged, entries=9, size=9_999)
        assert await cache.find(_key(1)) is None
        assert await cache.find(_key(1)) is None
        assert await bench.store.cached(_key(1)) is None
        counts = cache.statistics()
        assert (counts.undecodable, counts.misses, counts.entries) == (1, 2, 1)
        assert await _text(cache, _key(0)) == "good"

    with caplog.at_level(logging.WARNING, "trio_llm.cache"):
        _in_time(scenario)
    assert [record.getMessage()[:28] for record in caplog.records] == [
        "a cached answer is dropped: "
    ]


class _Broken(MemoryStore):
    """A store that fails, or takes for ever."""

    broken = False
    slow = False

    async def _meet(self) -> None:
        if self.slow:
            await trio.sleep_forever()
        if self.broken:
            raise StoreError("the disk is full")

    async def cached(self, key: bytes, /) -> CachedAnswer | None:
        await self._meet()
        return await super().cached(key)

    async def keep(self, answer: CachedAnswer, /, *, entries: int, size: int) -> int:
        await self._meet()
        return await super().keep(answer, entries=entries, size=size)

    async def forget(self, *, expired_before: float | None = None) -> int:
        await self._meet()
        return await super().forget(expired_before=expired_before)

    async def cache_size(self) -> tuple[int, int]:
        await self._meet()
        return await super().cache_size()


def test_a_store_that_fails_is_as_good_as_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    """Each failure is a miss, or an answer that is not kept, and a warning; none is raised."""

    async def scenario(bench: Bench) -> None:
        store = _Broken()
        bench.store = store
        cache = bench.cache(stale_if_error=60.0)
        await cache.open()
        await _keep(cache, reply("once"))
        store.broken = True
        await cache.open()
        assert await cache.find(KEY) is None
        assert await cache.find_stale(KEY) is None
        assert await _keep(cache, reply("again"), _key(1)) is None
        with pytest.raises(StoreError):
            await cache.clear()
        store.broken = False
        assert await _text(cache) == "once"
        assert await _text(cache, _key(1)) is None
        assert cache.statistics().stores == 1

    with caplog.at_level(logging.WARNING, "trio_llm.cache"):
        _in_time(scenario)
    assert [record.getMessage() for record in caplog.records] == [
        "the cached answers could not be counted: the disk is full",
        "a cached answer could not be read: the disk is full",
        "a cached answer could not be read: the disk is full",
        "an answer could not be kept: the disk is full",
    ]


def test_a_damaged_answer_in_a_store_that_fails_is_a_miss() -> None:
    """That it cannot even be dropped changes nothing."""

    class _ReadOnly(_Broken):
        async def cached(self, key: bytes, /) -> CachedAnswer | None:
            return CachedAnswer(key, 1_800_000_000.0, 1_800_000_060.0, b"rubbish")

    async def scenario(bench: Bench) -> None:
        store = _ReadOnly()
        store.broken = True
        bench.store = store
        cache = bench.cache()
        assert await cache.find(KEY) is None
        assert cache.statistics().undecodable == 1

    _in_time(scenario)


def test_a_store_that_takes_too_long_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    """Keeping is bounded, also for a caller who is being cancelled."""

    async def scenario(_world: World) -> None:
        store = _Broken()
        cache = Bench(store).cache()
        store.slow = True
        with trio.CancelScope() as scope:
            scope.cancel(reason="the test says so")
            assert await cache.keep(KEY, reply(), lambda: trio.current_time() + 1.0) is None
        assert trio.current_time() == 1.0

    with caplog.at_level(logging.WARNING, "trio_llm.cache"):
        run(scenario)
    assert "takes too long" in caplog.text


def test_what_has_expired_is_swept_up_now_and_then() -> None:
    """A store that is never full does not grow old answers for ever."""

    async def scenario(bench: Bench) -> None:
        cache = bench.cache(ttl=60.0, stale_if_error=10.0)
        await _keep(cache, reply("old"), _key(0))
        bench.now += 65.0
        await _keep(cache, reply("new"), _key(1))
        assert cache.statistics().entries == 2
        bench.now += 65.0
        await _keep(cache, reply("newest"), _key(2))
        assert await bench.store.cached(_key(0)) is None
        assert await bench.store.cached(_key(1)) is not None
        assert cache.statistics().entries == 2

    _in_time(scenario)


def test_what_is_kept_can_be_forgotten() -> None:
    """Clearing tells how many there were; the counts of hits go on."""

    async def scenario(bench: Bench) -> None:
        cache = bench.cache()
        for number in range(3):
            await _keep(cache, reply(), _key(number))
        assert await cache.clear() == 3
        assert await cache.find(_key(0)) is None
        counts = cache.statistics()
        assert (counts.entries, counts.size, counts.stores) == (0, 0, 3)

    _in_time(scenario)


@pytest.mark.parametrize("persistent", [False, True])
def test_forgetting_reaches_wherever_answers_were_kept(persistent: bool) -> None:
    """A reload that moves the cache leaves nothing behind that comes back with the next one."""

    async def scenario(bench: Bench) -> None:
        cache = bench.cache()
        await _keep(cache, reply("in the store"))
        cache.adopt(plan_of())
        await _keep(cache, reply("in memory"))
        cache.adopt(plan_of(persistent=persistent))
        assert await cache.clear() == 2
        for each in (True, False):
            cache.adopt(plan_of(persistent=each))
            assert await cache.find(KEY) is None
        assert cache.statistics().entries == 0

    _in_time(scenario)


def test_answers_that_do_not_outlive_the_runtime_stay_out_of_its_store() -> None:
    """Only with `persistent` they go to the store; another runtime finds them there."""

    async def scenario(bench: Bench) -> None:
        fleeting = AnswerCache(plan_of(), bench.store, lambda: bench.now)
        await _keep(fleeting, reply("mine"))
        assert await bench.store.cache_size() == (0, 0)
        await fleeting.open()
        assert fleeting.statistics().entries == 1
        lasting = bench.cache()
        await _keep(lasting, reply("ours"))
        again = bench.cache()
        await again.open()
        assert again.statistics().entries == 1
        assert await _text(again) == "ours"
        assert await _text(fleeting) == "mine"

    _in_time(scenario)


@pytest.mark.parametrize(
    ("mode", "call", "reads", "writes"),
    [
        ("off", None, False, False),
        ("on", None, True, True),
        ("read_only", None, True, False),
        ("write_only", None, False, True),
        ("off", True, True, True),
        ("off", "read_only", True, False),
        ("on", False, False, False),
        ("on", "write_only", False, True),
        ("read_only", "on", True, True),
    ],
)
def test_a_call_may_say_otherwise_than_the_settings(
    mode: str, call: Any, reads: bool, writes: bool
) -> None:
    """Reading and keeping are two things, and the call has the last word."""
    cache = Bench().cache(mode=mode)
    request = Request(messages="hello", cache=call)
    assert (cache.reads(request), cache.writes(request)) == (reads, writes)
    assert cache.idle == (mode == "off")


def test_zstd_without_its_package_is_a_fault_of_the_configuration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The error names the extra; an unknown word gets a suggestion."""
    plan_of(compression="zstd")
    monkeypatch.setattr("trio_llm.config.accounting.ZSTD", "no_such_package.zstd")
    with pytest.raises(ConfigError, match=r"cache\.compression: zstd is .*'trio-llm\[zstd\]'"):
        plan_of(compression="zstd")
    plan_of(compression="zlib")
    with pytest.raises(ConfigError, match=r'no compression "zlip"; did you mean "zlib"\?'):
        plan_of(compression="zlip")
    with pytest.raises(ConfigError, match=r"cache\.compression: .*a string"):
        plan_of(compression=3)


def test_statistics_of_nothing_have_no_rate() -> None:
    """Without a single look there is no share of hits."""
    assert CacheStatistics().hit_rate is None

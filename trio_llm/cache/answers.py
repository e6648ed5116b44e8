"""The answers that are kept: found by their keys, for as long as they are good.

Nothing here ever fails a call. A store that does not work, an answer that cannot be read,
one that cannot be written: each is as good as no answer, and the log tells of it.
"""

import logging
from collections import Counter
from collections.abc import Callable
from typing import Final

import attrs
import trio

from trio_llm.cache.codec import Codec, Kept, UndecodableError
from trio_llm.cache.fleeting import FleetingAnswer, FleetingAnswers, size_as_it_is
from trio_llm.cache.key import fingerprint_of, key_of
from trio_llm.cache.statistics import CacheStatistics
from trio_llm.cache.write_behind import Told, WriteBehind
from trio_llm.chat import Reply, Request
from trio_llm.config import CacheSettings, Plan
from trio_llm.errors import StoreError
from trio_llm.store import CachedAnswer, Store

_logger = logging.getLogger("trio_llm.cache")

_READING: Final = frozenset({"on", "read_only"})
_WRITING: Final = frozenset({"on", "write_only"})
_WHOLE: Final = frozenset({"stop", "tool_calls"})
_PATIENCE: Final = 1.0
"""Seconds that a look into the store may take: whoever asks is there for an answer."""

_GONE: Final = -1.0
"""When what cannot be read has expired: before all else, so that it can be forgotten alone."""


@attrs.frozen
class Found:
    """An answer that was kept.

    Attributes:
        kept: The answer.
        age: Seconds since it was kept.
    """

    kept: Kept
    age: float


def may_be_kept(reply: Reply) -> bool:
    """Tell whether a reply is a whole and good answer of its own."""
    return reply.finish_reason in _WHOLE and reply.degraded is None and reply.cached is None


@attrs.define(eq=False)
class AnswerCache:
    """The answers of one runtime, and what is counted of them.

    Args:
        plan: The present plan, which says who stands under each name.
        store: Where answers are kept that outlive the runtime.
        wall_clock: Seconds since the epoch.

    Attributes:
        behind: What is on its way to the store, while its task runs.
        settings: How answers are kept now.
        idle: Whether a call that says nothing of the cache has nothing to do with it, nor
            with other calls.
    """

    _plan: Plan
    _store: Store
    _wall_clock: Callable[[], float]
    behind: WriteBehind = attrs.field(factory=WriteBehind, init=False)
    settings: CacheSettings = attrs.field(init=False)
    idle: bool = attrs.field(default=True, init=False)
    _own: FleetingAnswers = attrs.field(factory=FleetingAnswers, init=False)
    _codec: Codec = attrs.field(factory=Codec, init=False)
    _prints: dict[str, bytes] = attrs.field(factory=dict[str, bytes], init=False)
    _swept: float = attrs.field(default=0.0, init=False)
    _counts: Counter[str] = attrs.field(factory=Counter[str], init=False)

    def __attrs_post_init__(self) -> None:
        self.adopt(self._plan)

    def adopt(self, plan: Plan) -> None:
        """Go by another plan from now on; what is kept stays.

        A shorter time to live holds for what is kept already, too, smaller limits from the
        next answer on that is kept.
        """
        self._plan = plan
        self._prints.clear()
        settings = self.settings = plan.config.cache
        self.idle = settings.mode == "off" and not settings.single_flight
        self._codec = Codec(settings.compression, settings.compress_above)

    def reads(self, request: Request) -> bool:
        """Tell whether a request may be answered by what is kept."""
        return (request.cache or self.settings.mode) in _READING

    def writes(self, request: Request) -> bool:
        """Tell whether the answer to a request may be kept."""
        return (request.cache or self.settings.mode) in _WRITING

    def key_of(self, name: str, request: Request) -> bytes | None:
        """Give the key of a request at an endpoint; ``None`` if it has none."""
        fingerprint = self._prints.get(name)
        if fingerprint is None:
            fingerprint = self._prints[name] = fingerprint_of(self._plan, name)
        return key_of(fingerprint, request)

    @property
    def _present(self) -> Store | FleetingAnswers:
        return self._store if self.settings.persistent else self._own

    async def find(self, key: bytes) -> Found | None:
        """Give an answer that is still good, and count whether there was one."""
        found = None
        if self.settings.persistent or key in self._own:  # what is not there is not waited for
            found = await self._find(key, self.settings.ttl)
        self._counts["misses" if found is None else "hits"] += 1
        return found

    async def find_stale(self, key: bytes) -> Found | None:
        """Give an answer that is good enough where nobody can answer; count it, if any."""
        more = self.settings.stale_if_error
        if not more:
            return None
        found = await self._find(key, self.settings.ttl + more, more)
        if found is not None:
            self._counts["stale_hits"] += 1
        return found

    async def _find(self, key: bytes, most: float, grace: float = 0.0) -> Found | None:
        try:
            answer = await self._look_up(key)
        except StoreError as error:
            _logger.warning("a cached answer could not be read: %s", error)
            return None
        if answer is None or answer.expires == _GONE:
            return None
        content = answer.content
        now = self._wall_clock()
        age = now - answer.created
        # A clock that was set back leaves answers from the future; not for long, either.
        if not -most <= age <= most or now > answer.expires + grace:
            return None
        try:
            kept = content if isinstance(content, Kept) else self._codec.decode(content)
        except UndecodableError as error:
            _logger.warning("a cached answer is dropped: %s", error)
            self._counts["undecodable"] += 1
            await self._drop(key)
            return None
        return Found(kept, max(age, 0.0))

    async def _look_up(self, key: bytes) -> CachedAnswer | FleetingAnswer | None:
        if not self.settings.persistent:
            return await self._own.cached(key)
        waiting = self.behind.waiting(key)
        if waiting is not None:
            await trio.lowlevel.checkpoint()
            return waiting
        with trio.move_on_after(_PATIENCE):
            return await self._store.cached(key)
        _logger.warning("a cached answer is not waited for: the store takes too long")
        return None

    async def keep(
        self, key: bytes, reply: Reply, until: Callable[[], float], late: Told | None = None
    ) -> tuple[int, int] | None:
        """Keep a reply, if it is a whole and good one.

        Who keeps it in a store hands it over: see `trio_llm.cache.write_behind`. Where no task
        writes it is written here; the reply is known, so the caller's deadline does not cut
        that short.

        Args:
            key: Its key.
            reply: The reply.
            until: Tells how long a store may take at most, on Trio's clock.
            late: Is told of an answer that is written when the caller has left.

        Returns:
            How many bytes it has, and how many others had to go; ``None`` if it is not kept,
            or not yet.
        """
        if not may_be_kept(reply):
            return None
        kept = Kept.of(reply)
        if not self.settings.persistent:
            return self._shelve(key, kept)
        content = self._encoded(kept)
        if content is None:
            return None
        now = self._wall_clock()
        answer = CachedAnswer(key, now, now + self.settings.ttl, content)
        if self.behind.running:
            return await self.behind.hand_over(answer, self._put, late)
        evicted = None
        with trio.CancelScope(deadline=until(), shield=True) as scope:
            evicted = await self._put(answer)
        if scope.cancelled_caught:
            _logger.warning("an answer is not kept: the store takes too long")
        return None if evicted is None else (len(content), evicted)

    def _encoded(self, kept: Kept) -> bytes | None:
        """Write an answer; ``None`` if it is none that can be written."""
        try:
            return self._codec.encode(kept)
        except ValueError as error:
            _logger.warning("an answer of %s cannot be kept: %s", kept.provider, error)
            return None

    def _shelve(self, key: bytes, kept: Kept) -> tuple[int, int] | None:
        """Keep an answer in memory: as it is where that is as good, or else its bytes."""
        content: Kept | bytes = kept
        size = size_as_it_is(kept)
        if size is None or self._codec.compresses(size):
            written = self._encoded(kept)
            if written is None:
                return None
            content, size = written, len(written)
        settings, own, now = self.settings, self._own, self._wall_clock()
        answer = FleetingAnswer(key, now, now + settings.ttl, content, size)
        evicted = own.put(answer, entries=settings.entries, size=settings.size)
        if now - self._swept > settings.ttl:
            self._swept = now
            own.sweep(now - settings.stale_if_error)
        counts = self._counts
        counts["stores"] += 1
        counts["evictions"] += evicted
        counts["entries"], counts["size"] = own.extent
        return size, evicted

    async def _put(self, answer: CachedAnswer) -> int | None:
        """Have the store keep an answer; give how many others it let go of."""
        settings, store, now = self.settings, self._store, answer.created
        try:
            evicted = await store.keep(answer, entries=settings.entries, size=settings.size)
            self._counts["stores"] += 1
            self._counts["evictions"] += evicted
            if now - self._swept > settings.ttl:
                self._swept = now
                await store.forget(expired_before=now - settings.stale_if_error)
            await self._measure()
        except StoreError as error:
            _logger.warning("an answer could not be kept: %s", error)
            return None
        return evicted

    async def _drop(self, key: bytes) -> None:
        """Let go of one answer: in a store, put an empty one in its place that goes at once."""
        if not self.settings.persistent:
            self._own.drop(key)
            self._counts["entries"], self._counts["size"] = self._own.extent
            return
        empty = CachedAnswer(key, _GONE, _GONE, b"")
        if self.behind.running:
            await self.behind.hand_over(empty, self._put_in_place)
        else:
            await self._put_in_place(empty)

    async def _put_in_place(self, empty: CachedAnswer) -> int | None:
        settings, store = self.settings, self._store
        try:
            await store.keep(empty, entries=settings.entries, size=settings.size)
            await store.forget(expired_before=0.0)
            await self._measure()
        except StoreError as error:
            _logger.warning("a cached answer could not be dropped: %s", error)
        return None

    async def open(self) -> None:
        """Look how many answers an earlier runtime has left."""
        if self.settings.persistent:
            try:
                await self._measure()
            except StoreError as error:
                _logger.warning("the cached answers could not be counted: %s", error)

    async def _measure(self) -> None:
        self._counts["entries"], self._counts["size"] = await self._present.cache_size()

    async def clear(self) -> int:
        """Forget every answer; give how many there were.

        That is in memory and in the store, wherever a reload has had answers kept meanwhile.

        Raises:
            StoreError: The store does not work; what it holds stays.
        """
        gone = await self._own.forget() + self.behind.drop()
        gone += await self._store.forget()
        await self._measure()
        return gone

    def statistics(self) -> CacheStatistics:
        """Give the counts; what the store holds is as of the last answer that was kept."""
        return CacheStatistics(**self._counts)

"""Cached answers: within limits, the expired ones first to go, then those long unused."""

import random
from collections import OrderedDict
from pathlib import Path

import attrs
import pytest

from tests.store.store_pieces import KINDS, virtually, with_store
from trio_llm.store import CachedAnswer, SQLiteStore, Store
from trio_llm.store.shelf import Shelf
from trio_llm.testing import seeds


def answer(key: bytes, *, at: float = 0.0, lasts: float = 100.0, size: int = 10) -> CachedAnswer:
    """Give an answer of so many bytes."""
    return CachedAnswer(key, at, at + lasts, key[:1] * size)


@attrs.define
class Kept:
    """What should be kept."""

    answers: OrderedDict[bytes, CachedAnswer] = attrs.field(
        factory=OrderedDict[bytes, CachedAnswer]
    )

    def size(self) -> tuple[int, int]:
        """Give how many there are, and how large."""
        return len(self.answers), sum(len(each.content) for each in self.answers.values())

    def keep(self, new: CachedAnswer, entries: int, size: int) -> int:
        """Keep one, and give how many went."""
        before = set(self.answers.keys())
        self.answers.pop(new.key, None)
        if len(new.content) <= size:
            self.answers[new.key] = new

        def full() -> bool:
            return self.size()[0] > entries or self.size()[1] > size

        if full():
            self.forget(new.created)
        while full():
            self.answers.popitem(last=False)
        kept = {new.key} if len(new.content) <= size else set[bytes]()
        return len((before | kept).difference(self.answers))

    def forget(self, before: float) -> int:
        """Forget what has expired."""
        gone = [key for key, each in self.answers.items() if each.expires < before]
        for key in gone:
            del self.answers[key]
        return len(gone)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", seeds(200, share=40))
def test_answers_are_those_of_a_plain_model(kind: str, seed: int) -> None:
    """Which are there, how many, how large, and how many each step lets go of."""
    rng, model = random.Random(seed), Kept()
    keys = [f"{letter}{number}".encode() for letter in "abc" for number in range(5)]
    entries, size = rng.choice([(6, 10_000), (100, 300), (5, 250)])

    async def scenario(store: Store) -> None:
        now = 0.0
        for _ in range(120):
            now += rng.random()
            key, step = rng.choice(keys), rng.random()
            if step < 0.5:
                new = answer(key, at=now, lasts=rng.choice([2, 50]), size=rng.choice([9, 60, 400]))
                gone = await store.keep(new, entries=entries, size=size)
                assert gone == model.keep(new, entries, size)
            elif step < 0.9:
                assert await store.cached(key) == model.answers.get(key)
                if key in model.answers:
                    model.answers.move_to_end(key)
            elif step < 0.97:
                assert await store.forget(expired_before=now) == model.forget(now)
            assert await store.cache_size() == model.size()
        assert await store.forget() == len(model.answers)
        assert await store.cache_size() == (0, 0)

    with_store(kind, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_what_has_expired_goes_before_what_is_old(kind: str) -> None:
    """Even if it was used last."""

    async def scenario(store: Store) -> None:
        await store.keep(answer(b"old"), entries=2, size=1000)
        await store.keep(answer(b"brief", lasts=1.0), entries=2, size=1000)
        assert await store.keep(answer(b"new", at=2.0), entries=2, size=1000) == 1
        assert await store.cached(b"brief") is None
        assert await store.cached(b"old") is not None

    with_store(kind, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_that_is_too_large_empties_nothing(kind: str) -> None:
    """It is not kept, and of the others only the one with its key goes."""

    async def scenario(store: Store) -> None:
        await store.keep(answer(b"small"), entries=9, size=100)
        await store.keep(answer(b"grows"), entries=9, size=100)
        assert await store.keep(answer(b"large", size=101), entries=9, size=100) == 0
        assert await store.keep(answer(b"grows", size=101), entries=9, size=100) == 1
        assert await store.cached(b"small") is not None
        assert await store.cache_size() == (1, 10)

    with_store(kind, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_smaller_limits_hold_from_the_next_answer_on(kind: str) -> None:
    """A reload may have set them."""

    async def scenario(store: Store) -> None:
        for number in range(20):
            await store.keep(answer(b"%d" % number), entries=20, size=1000)
        assert await store.keep(answer(b"x"), entries=3, size=1000) == 18
        assert await store.cache_size() == (3, 30)

    with_store(kind, scenario)


def test_answers_and_their_order_of_use_outlive_the_runtime(tmp_path: Path) -> None:
    """The least recently used one goes first also after the file was closed."""
    store = SQLiteStore(tmp_path / "store.db")

    async def scenario() -> None:
        async with store.opened():
            for key in (b"a", b"b", b"c"):
                await store.keep(answer(key), entries=3, size=1000)
            await store.cached(b"a")
        async with store.opened():
            assert await store.cache_size() == (3, 30)
            assert await store.keep(answer(b"d"), entries=3, size=1000) == 1
            assert await store.cached(b"b") is None
            assert await store.cached(b"a") == answer(b"a")

    virtually(scenario)


def test_memory_keeps_no_trace_of_answers_that_are_gone() -> None:
    """The list of the ends of answers does not grow with those that were replaced."""
    shelf = Shelf[CachedAnswer]()
    for number in range(5000):
        shelf.keep(answer(b"%d" % (number % 7), at=number), entries=5, size=1000)
    assert len(shelf._ends) < 250  # pyright: ignore[reportPrivateUsage]

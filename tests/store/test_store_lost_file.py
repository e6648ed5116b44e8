"""A file that loses its name while it is open takes nothing more: what is booked waits for it."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.store.store_pieces import attempts, charge, virtually
from trio_llm import Config, Provider, StoreSettings, open_runtime
from trio_llm.errors import StoreError
from trio_llm.events import Event, StoreFailed
from trio_llm.store import SQLiteStore


def _deleted(path: Path) -> None:
    path.unlink()


def _renamed(path: Path) -> None:
    path.rename(f"{path}.moved")


def _put_back(path: Path) -> None:
    Path(f"{path}.moved").rename(path)


def _replaced(path: Path) -> None:
    copy = Path(f"{path}.copy")
    shutil.copy(path, copy)
    copy.replace(path)


def _without_its_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give where a store may be, in a folder of its own."""
    (tmp_path / "books").mkdir()
    return tmp_path / "books" / "store.db"


@pytest.mark.parametrize("happen", [_deleted, _renamed, _replaced, _without_its_folder])
def test_nothing_is_written_to_a_file_without_its_name(
    path: Path, happen: Callable[[Path], None]
) -> None:
    """The error names the file and the remedy."""

    async def scenario() -> None:
        async with (store := SQLiteStore(path)).opened():
            await store.write([charge(1)])
            happen(path)
            with pytest.raises(StoreError, match=r"store\.db: it was deleted, moved.*put it back"):
                await store.write([charge(2)])

    virtually(scenario)


def test_a_file_that_is_put_back_takes_what_has_waited(path: Path) -> None:
    """The same file under its old name is as good as if nothing had been."""

    async def scenario() -> None:
        async with (store := SQLiteStore(path)).opened():
            await store.write([charge(1)])
            _renamed(path)
            with pytest.raises(StoreError, match="put it back"):
                await store.write([charge(2)])
            _put_back(path)
            await store.write([charge(2)])
        async with (store := SQLiteStore(path)).opened():
            assert await attempts(store) == 2

    virtually(scenario)


def test_a_file_that_cannot_be_looked_at_is_still_written(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is open can be written, whoever may enter its folder now."""

    def refuse(_path: Path) -> os.stat_result:
        raise PermissionError

    async def scenario() -> None:
        async with (store := SQLiteStore(path)).opened():
            with monkeypatch.context() as patched:
                patched.setattr(Path, "stat", refuse)
                await store.write([charge(1)])
            assert await attempts(store) == 1

    virtually(scenario)


def test_a_runtime_says_that_its_file_has_gone(path: Path) -> None:
    """Its calls are answered; the charges stay in its books, with an event for the failure."""
    said: list[Event] = []

    async def scenario() -> None:
        config = Config(default=Provider("simulated", "p"), store=StoreSettings(path=str(path)))
        async with open_runtime(config) as llm:
            await llm.generate("hello")
            llm.subscribe(said.append)
            _deleted(path)
            await llm.generate("hello")

    virtually(scenario)
    failed = [each for each in said if isinstance(each, StoreFailed)]
    assert failed
    assert "it was deleted" in failed[0].error

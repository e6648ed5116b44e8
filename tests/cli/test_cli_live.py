"""Pictures that change while a block runs."""

import io
import itertools

import pytest
import trio
from rich.console import Console
from rich.text import Text
from trio.testing import MockClock

from trio_llm.cli.live import redrawn

HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


@pytest.fixture
def console() -> Console:
    """Give a console that takes itself for a terminal, and writes to memory."""
    return Console(file=io.StringIO(), force_terminal=True, width=40, color_system=None)


def _written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


async def test_picture_is_drawn_while_the_block_runs(
    console: Console,
    autojump_clock: MockClock,  # noqa: ARG001 - the clock of the test
) -> None:
    """It is drawn several times a second, the last time at the end; the cursor comes back."""
    pictures = itertools.count()
    async with redrawn(console, lambda: Text(f"picture {next(pictures)}"), live=True):
        await trio.sleep(1.0)
    written = _written(console)
    last = next(pictures) - 1
    assert 10 < last < 30
    assert f"picture {last}" in written
    assert written.count(HIDE_CURSOR) == written.count(SHOW_CURSOR) == 1


async def test_without_a_person_it_is_drawn_once(console: Console) -> None:
    """When nobody looks, the picture is drawn at the end of the block; a transient one never."""
    state = "before"
    async with redrawn(console, lambda: Text(state), live=False):
        state = "after"
    async with redrawn(console, lambda: Text("spinner"), live=False, transient=True):
        pass
    assert _written(console) == "after\n"


@pytest.mark.parametrize("live", [True, False])
async def test_exception_of_the_block_leaves_unwrapped(console: Console, live: bool) -> None:
    """What the block raises is raised as it is, and the cursor comes back."""
    with pytest.raises(LookupError, match="mine"):
        async with redrawn(console, lambda: Text("picture"), live=live):
            raise LookupError("mine")
    assert _written(console).count(HIDE_CURSOR) == _written(console).count(SHOW_CURSOR)


async def test_cancelled_block_gives_the_cursor_back(
    console: Console,
    autojump_clock: MockClock,  # noqa: ARG001 - the clock of the test
) -> None:
    """A cancellation ends the drawing at once."""
    with trio.move_on_after(0.5) as scope:
        async with redrawn(console, lambda: Text("picture"), live=True, transient=True):
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert trio.current_time() - scope.deadline < 0.01
    assert _written(console).rindex(SHOW_CURSOR) > _written(console).rindex(HIDE_CURSOR)

"""A spinner on standard error, while a person waits at a terminal."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import trio
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from trio_llm.cli.terminal import Terminal

_FRAME = 0.08
"""Seconds between two pictures."""


@asynccontextmanager
async def spinning(terminal: Terminal, text: Callable[[], str]) -> AsyncGenerator[None]:
    """Spin while the block runs, with a text that may change; nothing without a terminal.

    Rich would draw from a thread of its own. A task does as well, and is gone when
    the block is.
    """
    if not terminal.live:
        yield
        return
    spinner = Spinner("dots", Text(text()))
    with Live(spinner, console=terminal.err, transient=True, auto_refresh=False) as live:
        drawing = trio.CancelScope()

        async def draw() -> None:
            with drawing:
                while True:
                    spinner.update(text=Text(text(), no_wrap=True, overflow="ellipsis"))
                    live.refresh()
                    await trio.sleep(_FRAME)

        failure: BaseException | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(draw)
            try:
                yield
            except BaseException as error:  # noqa: BLE001 - raised again below, unwrapped
                failure = error
            drawing.cancel()
    if failure is not None:
        raise failure

"""Pictures that change while a block runs."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import trio
from rich.console import Console, RenderableType
from rich.live import Live

_FRAME = 0.06
"""Seconds between two pictures."""


@asynccontextmanager
async def redrawn(
    console: Console,
    picture: Callable[[], RenderableType],
    *,
    live: bool,
    transient: bool = False,
    frame: float = _FRAME,
) -> AsyncGenerator[None, None]:
    """Draw a picture again and again while the block runs.

    Rich would draw from a thread of its own. A task does as well, and is gone when
    the block is.

    Args:
        console: Where to.
        picture: Gives the picture as it is now.
        live: Whether a person looks; if not, it is drawn once, at the end.
        transient: Whether it disappears at the end, so that without a person it is
            not drawn at all.
        frame: Seconds between two drawings; one of large tables takes 30 ms of CPU.
    """
    if not live:
        yield
        if not transient:
            console.print(picture())
        return
    failure: BaseException | None = None
    with Live(picture(), console=console, transient=transient, auto_refresh=False) as shown:

        async def draw() -> None:
            while True:
                await trio.sleep(frame)
                shown.update(picture(), refresh=True)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(draw)
            try:
                yield
            except BaseException as error:  # noqa: BLE001 - raised again below, unwrapped
                failure = error
            nursery.cancel_scope.cancel()
        shown.update(picture())
    if failure is not None:
        raise failure

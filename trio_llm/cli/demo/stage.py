"""Where the demonstration is shown: live at a terminal, picture by picture elsewhere."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import attrs
import trio
from rich.console import RenderableType
from rich.text import Text

from trio_llm.cli.live import redrawn
from trio_llm.cli.terminal import Terminal


@attrs.frozen
class Stage:
    """Shows scenes at a pace.

    Attributes:
        terminal: Where to.
        pace: What becomes of each second of the script.
    """

    terminal: Terminal
    pace: float

    def say(self, text: RenderableType) -> None:
        """Write a remark."""
        self.terminal.table(text)

    def open_scene(self, title: str, caption: str) -> None:
        """Write what is to be seen."""
        self.say(Text.assemble("\n", (title, "bold cyan"), "  ", (caption, "")))

    def showing(self, picture: Callable[[], RenderableType]) -> AbstractAsyncContextManager[None]:
        """Draw a picture while a block runs."""
        return redrawn(self.terminal.out, picture, live=self.terminal.shown)

    async def pause(self, duration: float) -> None:
        """Wait for so many seconds of the script."""
        await trio.sleep(duration * self.pace)

    @property
    def bar(self) -> int:
        """Columns that a bar may take; names and remarks need the rest."""
        return max(10, min(44, self.terminal.out.width - 56))

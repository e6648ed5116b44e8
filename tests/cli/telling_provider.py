"""A provider that tells a story word by word, and can break off in the middle."""

import re
from collections.abc import AsyncGenerator

import trio

from trio_llm.chat import Request, TextDelta
from trio_llm.errors import ServerError

STORY = "Once there was a stream that broke."


class Teller:
    """Tells the story; one that is to go on with a text goes on where that ends.

    Args:
        breaks_after: After how many words it breaks off; ``None`` for never.
        gap: Seconds before each word.
        story: What it tells.
    """

    def __init__(
        self, breaks_after: int | None = None, gap: float = 0.0, story: str = STORY
    ) -> None:
        self._breaks_after = breaks_after
        self._gap = gap
        self._story = story

    async def generate(self, request: Request) -> str:
        """Give the rest of the story at once."""
        await trio.sleep(self._gap)
        if self._breaks_after is not None:
            raise ServerError("it broke off")
        return self._rest(request)

    async def stream(self, request: Request) -> AsyncGenerator[TextDelta, None]:
        """Give the rest of the story word by word."""
        for count, word in enumerate(re.findall(r" ?[^ ]+", self._rest(request))):
            if count == self._breaks_after:
                raise ServerError("it broke off")
            await trio.sleep(self._gap)
            yield TextDelta(word)

    def _rest(self, request: Request) -> str:
        last = request.messages[-1]
        told = last.text if last.role == "assistant" else ""
        return self._story.removeprefix(told)

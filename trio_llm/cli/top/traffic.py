"""Traffic: the same question again and again, at a pace."""

from typing import Final

import attrs
import trio

from trio_llm.endpoint import Endpoint
from trio_llm.errors import LLMError

_MOST: Final = 256
"""Calls that may be under way; a slow runtime is asked more slowly beyond that."""


@attrs.define
class Traffic:
    """Asks at a pace, and keeps in mind what went wrong last.

    Args:
        prompt: What is asked.
        rate: How often in a second.

    Attributes:
        failure: The last call that failed, in words; ``None`` while none has.
    """

    prompt: str
    rate: float
    failure: str | None = attrs.field(default=None, init=False)

    async def drive(self, endpoint: Endpoint) -> None:
        """Ask until cancelled; answers are awaited at the same time."""
        places = trio.Semaphore(_MOST)
        async with trio.open_nursery() as nursery:
            due = trio.current_time()
            while True:
                await places.acquire()
                nursery.start_soon(self._ask, endpoint, places)
                due = max(due + 1.0 / self.rate, trio.current_time())
                await trio.sleep_until(due)

    async def _ask(self, endpoint: Endpoint, places: trio.Semaphore) -> None:
        try:
            await endpoint.generate(self.prompt)
        except LLMError as error:
            said = str(error).splitlines()[0] if str(error) else ""
            self.failure = f"{said} [{type(error).__name__}]"
        finally:
            places.release()

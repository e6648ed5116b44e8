"""A provider that presses Ctrl-C in the command that asks it."""

import signal

from trio_llm.chat import Request


class Interrupting:
    """Answers, and interrupts at one of its calls.

    Args:
        at: At which one.
    """

    def __init__(self, at: int) -> None:
        self._left = at

    async def generate(self, request: Request) -> str:
        """Answer with the prompt."""
        self._left -= 1
        if self._left == 0:
            signal.raise_signal(signal.SIGINT)
        return request.messages[-1].text

"""A provider for batches in processes of their own: it notes down whatever it is asked."""

import os

import trio

from trio_llm.chat import Request
from trio_llm.errors import ServerError


class Recorder:
    """Appends each prompt to a file, waits, and answers in capitals.

    Args:
        log: The file.
        pause: Seconds to the answer.
        hang_after: Prompts beyond so many never get an answer.
        bell: A FIFO that is opened when four of those wait.
    """

    def __init__(
        self, log: str, pause: float = 0.0, hang_after: int = 1 << 30, bell: str = ""
    ) -> None:
        self._log = log
        self._pause = pause
        self._left = hang_after
        self._bell = bell

    async def generate(self, request: Request) -> str:
        """Answer; a prompt with the word *fail* in it fails."""
        prompt = request.messages[-1].text
        descriptor = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(descriptor, f"{prompt}\n".encode())
        os.close(descriptor)
        self._left -= 1
        if self._left == -4 and self._bell:
            os.close(os.open(self._bell, os.O_WRONLY))
        if self._left < 0:
            await trio.sleep_forever()
        await trio.sleep(self._pause)
        if "fail" in prompt:
            raise ServerError("told to fail")
        return prompt.upper()

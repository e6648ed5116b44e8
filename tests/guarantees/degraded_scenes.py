"""What the tests of degraded replies share: the settings, and the text of a stream."""

from typing import Any

from trio_llm import CooldownSettings, Degradation

SORRY = "We are out of words for the moment."
DEFAULT = Degradation(reply=SORRY)
STALE = Degradation(stale=True, stale_for=60.0)
STURDY = CooldownSettings(after_failures=1000)


async def text_of(stream: Any) -> str:
    """Read a stream to its end."""
    return "".join([piece async for piece in stream.text()])

"""Streamed replies, as the client reads them."""

from typing import Any

from trio_llm.chat import Delta
from trio_llm.wire.classify import classify_frame
from trio_llm.wire.cloudflare.names import DIALECT
from trio_llm.wire.cloudflare.replies import calls_of, text_of
from trio_llm.wire.openai_chat.streams import ChunkDecoder


class RunDecoder(ChunkDecoder):
    """Turns the bytes of one stream into deltas and a completion.

    Older models stream ``{"response": "..."}`` without any finish reason, so that
    the end of their replies is of unknown kind; newer ones stream OpenAI's chunks.
    """

    def __init__(self) -> None:
        super().__init__(DIALECT)
        self._calls = 0

    def _chunk(self, chunk: dict[str, Any], name: str, deltas: list[Delta]) -> None:
        if chunk.get("success") is False or chunk.get("errors"):
            raise classify_frame(chunk, phase="stream")
        if "choices" not in chunk and ("response" in chunk or "tool_calls" in chunk):
            calls = calls_of(chunk.get("tool_calls"))
            for call in calls:
                # Each comes whole, and none says which it is.
                call["index"] = self._calls
                self._calls += 1
            delta = {"content": text_of(chunk.get("response")), "tool_calls": calls}
            chunk = {**chunk, "choices": [{"delta": delta}]}
        super()._chunk(chunk, name, deltas)

"""Streamed replies, as the client reads them.

What an event is, its ``type`` says; the name before it is missing at some servers.
"""

from typing import Any

from trio_llm.chat import Completion, Delta
from trio_llm.errors import MalformedResponseError, StreamInterruptedError
from trio_llm.wire.classify import classify_frame
from trio_llm.wire.decoding import EventDecoding
from trio_llm.wire.openai_responses.drafts import CALL, MESSAGE, REASONING, OutputDraft
from trio_llm.wire.openai_responses.replies import completion_of, failure
from trio_llm.wire.values import as_list, as_name, as_object, as_text, load

_LIFECYCLE = ("response.created", "response.queued", "response.in_progress")
_TERMINAL = {
    "response.completed": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
}
_ENDED = ("completed", "incomplete", "failed", "cancelled")


class ResponseDecoder(EventDecoding):
    """Turns the bytes of one stream into deltas and a completion."""

    def __init__(self) -> None:
        super().__init__()
        self._draft = OutputDraft()
        self._response: dict[str, Any] = {}
        self._status: str | None = None

    @property
    def finished(self) -> bool:
        """Whether nothing more need be read."""
        return self._status is not None or self._error is not None

    def close(self) -> Completion:
        """Say that the input has ended; give the whole completion."""
        self._read_end()
        if self._status is None:
            raise StreamInterruptedError(
                "the stream ended before the reply did",
                partial_text=self._draft.message().text,
                phase="stream",
            )
        return completion_of(self._draft, self._response, self._status)

    def _event(self, name: str, text: str, deltas: list[Delta]) -> None:
        # OpenRouter ends with the marker of chat completions.
        if self._status is not None or text.strip() == "[DONE]":
            return
        try:
            event = load(text)
        except ValueError:
            if name == "error":
                raise classify_frame(text, phase="stream") from None
            raise MalformedResponseError(
                "an event of the stream is no JSON", phase="stream"
            ) from None
        if type(event) is not dict:
            raise MalformedResponseError("an event of the stream is no object", phase="stream")
        fields = as_object(event)
        self._take(as_name(fields.get("type")) or name, fields, deltas)

    def _take(self, kind: str, event: dict[str, Any], deltas: list[Delta]) -> None:
        """Take one event; those of other kinds are passed over."""
        if kind == "error" or event.get("error"):
            raise classify_frame(event, phase="stream")
        if not kind.startswith("response."):
            return
        self._seen = True
        if kind.endswith(".delta"):
            self._delta(kind, event, deltas)
        elif kind == "response.output_item.added":
            self._draft.begin(as_object(event.get("item")), event.get("output_index"), deltas)
        elif kind == "response.output_item.done":
            self._draft.end(as_object(event.get("item")), event.get("output_index"), deltas)
        elif kind in _LIFECYCLE:
            self._state(event.get("response"))
        elif kind in _TERMINAL:
            self._state(event.get("response"))
            # vLLM calls a reply completed and says in its status that it is not.
            status = as_text(self._response.get("status"))
            status = status if status in _ENDED else _TERMINAL[kind]
            failed = failure({**self._response, "status": status}, phase="stream")
            if failed is not None:
                raise failed
            self._draft.reconcile(as_list(self._response.get("output")), deltas)
            self._status = status

    def _state(self, value: Any) -> None:
        fields = as_object(value).items()
        self._response.update({name: field for name, field in fields if field is not None})

    def _delta(self, kind: str, event: dict[str, Any], deltas: list[Delta]) -> None:
        text = as_text(event.get("delta"))
        where = (event.get("item_id"), event.get("output_index"), deltas)
        if kind == "response.output_text.delta":
            self._draft.add_text(self._draft.find(MESSAGE, *where), text, deltas)
        elif kind == "response.refusal.delta":
            self._draft.refused = True
        elif kind == "response.function_call_arguments.delta":
            self._draft.add_text(self._draft.find(CALL, *where), text, deltas)
        elif kind == "response.reasoning_summary_text.delta":
            block = ("summary", event.get("summary_index"))
            self._draft.add_reasoning(self._draft.find(REASONING, *where), block, text, deltas)
        elif kind == "response.reasoning_text.delta":
            block = ("content", event.get("content_index"))
            self._draft.add_reasoning(self._draft.find(REASONING, *where), block, text, deltas)

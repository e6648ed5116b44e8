"""Replies, streams and errors, as the server's side writes them.

A dialect knows no clock: ``created_at`` is 0, and a stream's identifier is a constant.
"""

from typing import Any

import attrs

from trio_llm.chat import Completion, Delta, Reasoning, ReasoningDelta, TextDelta
from trio_llm.wire.openai_chat.serve import encode_error as encode_error
from trio_llm.wire.openai_responses.names import DIALECT
from trio_llm.wire.openai_responses.output import (
    RESPONSE_ID,
    ended_response,
    new_item,
    output_items,
    status_of,
    text_block,
    write_response,
)
from trio_llm.wire.openai_responses.reasoning import text_of, write_reasoning
from trio_llm.wire.values import write_body


def encode_reply(completion: Completion) -> bytes:
    """Write a whole reply."""
    return write_body(
        ended_response(
            completion,
            response_id=completion.response_id or RESPONSE_ID,
            model=completion.model or "",
            output=output_items(completion.message.content, status_of(completion)),
        )
    )


@attrs.define(eq=False)
class _Open:
    """An item that has begun; `fields` is what was said of it then."""

    place: int
    fields: dict[str, Any]
    pieces: list[str] = attrs.field(factory=list[str])
    full: bool = False

    @property
    def kind(self) -> str:
        return str(self.fields["type"])

    def begins(self, whole: dict[str, Any]) -> bool:
        """Tell whether it can be the beginning of an item."""
        if self.kind != whole["type"]:
            return False
        return self.kind != "reasoning" or bool(self.pieces) == bool(text_of(whole))


class EventEncoder:
    """Writes one streamed reply; every change of kind begins a new item.

    Items end together with the reply: only then is known what belongs to them
    beside their text (the state of reasoning, the status).
    """

    def __init__(self, model: str) -> None:
        self._model = model
        self._sequence = 0
        self._items: list[_Open] = []
        self._calls: dict[int, _Open] = {}

    def start(self) -> bytes:
        """Give the bytes before the first delta."""
        response = write_response(
            response_id=RESPONSE_ID, model=self._model, status="in_progress", output=[]
        )
        return self._event("response.created", response=response) + self._event(
            "response.in_progress", response=response
        )

    def delta(self, delta: Delta, /) -> bytes:
        """Give the bytes of one delta."""
        if isinstance(delta, TextDelta):
            return self._text("message", delta.text)
        if isinstance(delta, ReasoningDelta):
            return self._reasoning(delta)
        head = b""
        item = self._calls.get(delta.index)
        if item is None:
            call_id, name = delta.id or f"call_{delta.index}", delta.name or ""
            head = self._begin("function_call", call_id=call_id, name=name)
            item = self._calls[delta.index] = self._items[-1]
        return head + self._piece(item, delta.arguments)

    def finish(self, completion: Completion, /) -> bytes:
        """Give the end of every item, the finish reason, the usage and the terminal event."""
        status = status_of(completion)
        output = output_items(completion.message.content, status)
        pairs = self._pairs(output)
        if pairs is None:
            # What was streamed is another reply than what is to end it: it stands.
            output = [_whole(item, status) for item in self._items]
            pairs = list(self._items)
        written = b""
        for fields, item in zip(output, pairs, strict=True):
            if item is None:
                written += self._at_once(fields)
                continue
            if item.kind == "function_call" and item.pieces:
                fields["arguments"] = "".join(item.pieces)
            written += self._end(item, fields)
        response = ended_response(
            completion, response_id=RESPONSE_ID, model=self._model, output=output
        )
        return written + self._event(f"response.{status}", response=response)

    def fail(self, message: str, /) -> bytes:
        """Give an error frame in the middle of the stream, and the event that ends it.

        Clients look for one or for the other; the SDK hands on both.
        """
        error = {"code": "server_error", "message": message}
        response = write_response(
            response_id=RESPONSE_ID,
            model=self._model,
            status="failed",
            output=[_whole(item, "incomplete") for item in self._items],
        )
        return self._event("error", **error, param=None) + self._event(
            "response.failed", response={**response, "error": error}
        )

    def _event(self, kind: str, **fields: Any) -> bytes:
        body = write_body({"type": kind, "sequence_number": self._sequence, **fields})
        self._sequence += 1
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), body)

    def _text(self, kind: str, text: str) -> bytes:
        if not text:
            return b""
        head = b""
        latest = self._items[-1] if self._items else None
        if latest is None or latest.kind != kind or latest.full:
            head = self._begin(kind)
        return head + self._piece(self._items[-1], text)

    def _reasoning(self, delta: ReasoningDelta) -> bytes:
        written = self._text("reasoning", delta.text)
        if delta.opaque is None:
            return written
        latest = self._items[-1] if self._items else None
        if latest is not None and latest.kind == "reasoning" and not latest.full:
            latest.full = True
        elif delta.origin == DIALECT and set(delta.opaque) != {"phase"}:
            # Sealed reasoning of which there is nothing to read.
            part = Reasoning("", delta.opaque, DIALECT)
            item = new_item("reasoning", len(self._items), "in_progress") | write_reasoning(part)
            written += self._begin_as(item)
            self._items[-1].full = True
        return written

    def _begin(self, kind: str, **fields: Any) -> bytes:
        head = self._begin_as(new_item(kind, len(self._items), "in_progress", **fields))
        item = self._items[-1]
        if kind == "message":
            return head + self._block("response.content_part.added", item, part=text_block(""))
        if kind == "reasoning":
            part = {"type": "summary_text", "text": ""}
            return head + self._block("response.reasoning_summary_part.added", item, part=part)
        return head

    def _begin_as(self, fields: dict[str, Any]) -> bytes:
        item = _Open(len(self._items), fields)
        self._items.append(item)
        return self._event("response.output_item.added", output_index=item.place, item=fields)

    def _block(self, kind: str, item: _Open, **fields: Any) -> bytes:
        """Write an event about an item, or about the one block in it."""
        where: dict[str, Any] = {"item_id": item.fields["id"], "output_index": item.place}
        if item.kind == "message":
            where["content_index"] = 0
        elif item.kind == "reasoning":
            where["summary_index"] = 0
        return self._event(kind, **where, **fields)

    def _piece(self, item: _Open, text: str) -> bytes:
        if not text:
            return b""
        item.pieces.append(text)
        if item.kind == "message":
            return self._block("response.output_text.delta", item, delta=text, logprobs=[])
        if item.kind == "reasoning":
            return self._block("response.reasoning_summary_text.delta", item, delta=text)
        return self._block("response.function_call_arguments.delta", item, delta=text)

    def _end(self, item: _Open, whole: dict[str, Any]) -> bytes:
        """Write the end of an item and of what is in it."""
        text = "".join(item.pieces)
        # An item keeps the identifier under which it began, or clients lose it.
        whole = {**whole, "id": item.fields["id"]}
        written = b""
        if item.kind == "message":
            written = self._block("response.output_text.done", item, text=text, logprobs=[])
            written += self._block("response.content_part.done", item, part=text_block(text))
        elif item.kind == "reasoning" and text:
            part = {"type": "summary_text", "text": text}
            written = self._block("response.reasoning_summary_text.done", item, text=text)
            written += self._block("response.reasoning_summary_part.done", item, part=part)
        elif item.kind == "function_call":
            written = self._block(
                "response.function_call_arguments.done",
                item,
                name=whole["name"],
                arguments=whole["arguments"],
            )
        return written + self._event(
            "response.output_item.done", output_index=item.place, item=whole
        )

    def _pairs(self, output: list[dict[str, Any]]) -> list[_Open | None] | None:
        """Give for each item the one that was streamed of it, if any was.

        ``None`` means that something was streamed that is not in the output.
        """
        left = list(self._items)
        pairs = [left.pop(0) if left and left[0].begins(fields) else None for fields in output]
        return None if left else pairs

    def _at_once(self, whole: dict[str, Any]) -> bytes:
        """Write an item of which nothing was streamed."""
        head = self._begin_as(whole)
        place = self._items[-1].place
        return head + self._event("response.output_item.done", output_index=place, item=whole)


def _whole(item: _Open, status: str) -> dict[str, Any]:
    """Give an item as far as it was streamed."""
    text = "".join(item.pieces)
    whole = dict(item.fields)
    if item.kind == "message":
        return whole | {"status": status, "content": [text_block(text)]}
    if item.kind == "function_call":
        return whole | {"status": status, "arguments": text}
    if text:
        whole["summary"] = [{"type": "summary_text", "text": text}]
    return whole

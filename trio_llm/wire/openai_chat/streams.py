"""Streamed replies, as the client reads them."""

from typing import Any

from trio_llm.chat import Completion, Delta, TextDelta, ToolCallDelta
from trio_llm.errors import MalformedResponseError, StreamInterruptedError
from trio_llm.wire.classify import classify_frame
from trio_llm.wire.decoding import EventDecoding
from trio_llm.wire.draft import CallDraft, Draft
from trio_llm.wire.openai_chat.charged import charged_of
from trio_llm.wire.openai_chat.details import DetailsDraft
from trio_llm.wire.openai_chat.names import CALLS, CARRIED_FIELDS, DIALECT
from trio_llm.wire.openai_chat.replies import (
    arguments_text,
    call_fields,
    finish_reason,
    opaque_of,
    text_and_thoughts,
    thoughts_of,
    usage_of,
)
from trio_llm.wire.values import as_list, as_name, as_object, as_text, load


class ChunkDecoder(EventDecoding):
    """Turns the bytes of one stream into deltas and a completion.

    Args:
        origin: The dialect's name, for provider state that must come back to it.
    """

    def __init__(self, origin: str = DIALECT) -> None:
        super().__init__()
        self._origin = origin
        self._draft = Draft()
        self._by_index: dict[int, CallDraft] = {}
        self._by_id: dict[str, CallDraft] = {}
        self._done = False
        self._finish: str | None = None
        self._refused = False
        self._usage: dict[str, Any] = {}
        self._model: str | None = None
        self._id: str | None = None
        self._carried: dict[str, Any] = {}
        self._details: dict[str, DetailsDraft] = {}

    @property
    def finished(self) -> bool:
        """Whether nothing more need be read."""
        return self._done or self._error is not None

    def close(self) -> Completion:
        """Say that the input has ended; give the whole completion."""
        self._read_end()
        if self._finish is None and not self._done:
            raise StreamInterruptedError(
                "the stream ended before the reply did",
                partial_text=self._draft.partial_text,
                phase="stream",
            )
        calls = bool(self._draft.calls)
        reason = finish_reason(self._finish, calls=calls, refused=self._refused, phase="stream")
        thoughts = "".join(self._draft.reasoning)
        carried = self._carried | {name: draft.finish() for name, draft in self._details.items()}
        return Completion(
            message=self._draft.message(self._origin, opaque_of(carried, thoughts, calls=calls)),
            finish_reason=reason,
            raw_finish=self._finish,
            usage=usage_of(self._usage),
            model=self._model,
            response_id=self._id,
            charged=charged_of(self._usage),
        )

    def _event(self, name: str, text: str, deltas: list[Delta]) -> None:
        if self._done:
            return
        if text == "[DONE]":
            self._done = True
            return
        try:
            chunk = load(text)
        except ValueError:
            if name == "error":
                raise classify_frame(text, phase="stream") from None
            if text.strip() == "[DONE]":
                self._done = True
                return
            raise MalformedResponseError(
                "an event of the stream is no JSON", phase="stream"
            ) from None
        if type(chunk) is not dict:
            raise MalformedResponseError("an event of the stream is no object", phase="stream")
        self._chunk(chunk, name, deltas)  # pyright: ignore[reportUnknownArgumentType]

    def _chunk(self, chunk: dict[str, Any], name: str, deltas: list[Delta]) -> None:
        if name == "error" or chunk.get("error") or chunk.get("object") == "error":
            raise classify_frame(chunk, phase="stream")
        choices = chunk.get("choices")
        if choices is not None and type(choices) is not list:
            raise MalformedResponseError("choices of a chunk is no array", phase="stream")
        self._seen = True
        if not self._id:
            self._id = as_name(chunk.get("id"))
        if not self._model:
            self._model = as_name(chunk.get("model"))
        usage = chunk.get("usage")
        if usage is None and "x_groq" in chunk:
            usage = as_object(chunk["x_groq"]).get("usage")
        if usage is not None:
            # Databricks repeats it in every chunk with nulls in place of what it told before.
            counts = as_object(usage).items()
            self._usage.update({key: count for key, count in counts if count is not None})
        for item in as_list(choices):
            if type(item) is dict and not item.get("index"):  # pyright: ignore[reportUnknownMemberType]
                self._choice(item, deltas)  # pyright: ignore[reportUnknownArgumentType]

    def _choice(self, choice: dict[str, Any], deltas: list[Delta]) -> None:
        reason = choice.get("finish_reason")
        if reason:
            self._finish = as_name(reason)
        delta = choice.get("delta")
        if type(delta) is not dict:
            return
        fields: dict[str, Any] = delta  # pyright: ignore[reportUnknownVariableType]
        content = fields.get("content")
        # The one case that nearly every chunk is: plain text and nothing beside it.
        if len(fields) == 1 and type(content) is str:
            if content:
                text = as_text(content)
                self._draft.text.append(text)
                deltas.append(TextDelta(text))
            return
        text, thoughts = text_and_thoughts(content)
        thoughts = thoughts_of(fields) or thoughts
        if thoughts:
            self._draft.add_reasoning(thoughts, deltas)
        if text:
            self._draft.add_text(text, deltas)
        if fields.get("refusal"):
            self._refused = True
        self._carry(fields)
        for item in as_list(fields.get("tool_calls")):
            self._call(as_object(item), deltas)
        function = fields.get("function_call")
        # llama-cpp-python repeats every tool call under the older name.
        if function and not fields.get("tool_calls"):
            self._call({"index": 0, "function": function}, deltas)

    def _carry(self, fields: dict[str, Any]) -> None:
        for name in CARRIED_FIELDS:
            value = fields.get(name)
            if type(value) is list:
                if name not in self._details:
                    self._details[name] = DetailsDraft()
                self._details[name].add(as_list(value))
            elif value:
                self._carried[name] = value
        if as_name(fields.get("reasoning_content")):
            self._carried["reasoning_content"] = fields["reasoning_content"]

    def _call(self, item: dict[str, Any], deltas: list[Delta]) -> None:
        function = as_object(item.get("function"))
        name = as_text(function.get("name"))
        call_id = as_name(item.get("id"))
        index = item.get("index")
        call = self._known_call(index, call_id, name)
        if call is None:
            call = self._draft.open_call(call_id, name, deltas)
            self._by_index[index if type(index) is int else call.index] = call
            self._by_id.setdefault(call.id, call)
        elif name and not call.name:
            call.name = name
            deltas.append(ToolCallDelta(call.index, name=name))
        kept = call_fields(item)
        if kept:
            self._carried.setdefault(CALLS, {})[call.id] = kept
        arguments = arguments_text(function.get("arguments"))
        if arguments:
            self._draft.add_arguments(call, arguments, deltas)

    def _known_call(self, index: Any, call_id: str | None, name: str) -> CallDraft | None:
        """Find the call that a delta goes on with; ``None`` if it begins a new one."""
        calls = self._draft.calls
        latest = calls[-1] if calls else None
        call = self._by_index.get(index) if type(index) is int else latest
        if call is None or not call_id or not name or call_id == call.id:
            return call
        # Another identifier with a name: another call, whatever index it was given.
        return self._by_id.get(call_id)

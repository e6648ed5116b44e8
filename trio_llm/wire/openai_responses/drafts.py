"""A reply in the making: the output items that have been seen, whole or in pieces."""

from typing import Any

import attrs

from trio_llm.chat import (
    Delta,
    Message,
    Part,
    Reasoning,
    ReasoningDelta,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
)
from trio_llm.wire.openai_responses.names import DIALECT
from trio_llm.wire.openai_responses.reasoning import PARAGRAPH, opaque_of, phase_part, text_of
from trio_llm.wire.values import as_list, as_name, as_object, as_text, rewrite

MESSAGE = "message"
CALL = "function_call"
REASONING = "reasoning"
_KINDS = (MESSAGE, CALL, REASONING)
_TIMES = 2


@attrs.define(eq=False)
class ItemDraft:
    """One output item in the making.

    Attributes:
        kind: Its type on the wire.
        pieces: What has come of its text, its reasoning or its arguments.
        block: Which block of reasoning the latest piece belongs to.
        call: The place among the tool calls.
        call_id: The identifier that a result must repeat.
        name: The tool's name.
        opaque: The state of reasoning that must come back.
        phase: The phase of a message.
        settled: How often it has been told whole.
    """

    kind: str
    pieces: list[str] = attrs.field(factory=list[str])
    block: Any = None
    call: int = -1
    call_id: str = ""
    name: str = ""
    opaque: dict[str, Any] | None = None
    phase: str | None = None
    settled: int = 0

    def parts(self) -> list[Part]:
        """Give what it is in a message; nothing for an item with nothing in it."""
        text = "".join(self.pieces)
        if self.kind == CALL:
            return [ToolCall.parse(self.call_id, self.name, text)]
        if self.kind == REASONING:
            return [Reasoning(text, self.opaque, DIALECT)] if text or self.opaque else []
        if not text:
            return []
        return [Text(text)] if self.phase is None else [phase_part(self.phase), Text(text)]


class OutputDraft:
    """The output items of one reply, in the order in which they came.

    Items of types that the vocabulary lacks (what the provider's own tools leave
    behind) are passed over. What a whole item says beyond its pieces is given as
    further deltas, so that deltas always add up to the message.
    """

    def __init__(self) -> None:
        self._items: list[ItemDraft] = []
        self._by_id: dict[str, ItemDraft] = {}
        self._by_place: dict[int, ItemDraft] = {}
        self._calls = 0
        self.refused = False

    @property
    def has_calls(self) -> bool:
        """Whether there is a tool call."""
        return self._calls > 0

    def message(self) -> Message:
        """Give the whole turn."""
        return Message("assistant", [part for item in self._items for part in item.parts()])

    def add(self, fields: dict[str, Any]) -> None:
        """Take an item of a whole reply."""
        kind = as_text(fields.get("type"))
        if kind in _KINDS:
            self._settle(self._open(kind, fields, None, []), fields, [])

    def begin(self, fields: dict[str, Any], place: Any, deltas: list[Delta]) -> None:
        """Take the beginning of an item."""
        kind = as_text(fields.get("type"))
        if kind in _KINDS and as_text(fields.get("id")) not in self._by_id:
            self._open(kind, fields, place, deltas)

    def end(self, fields: dict[str, Any], place: Any, deltas: list[Delta]) -> None:
        """Take an item that has ended, with all that is in it."""
        kind = as_text(fields.get("type"))
        if kind in _KINDS:
            item = self.find(kind, fields.get("id"), place, deltas)
            self._settle(item, fields, deltas)

    def reconcile(self, output: list[Any], deltas: list[Delta]) -> None:
        """Take the list of all items that ends a stream; it may be empty.

        Its order stands, unless something is missing from it.
        """
        listed: dict[int, ItemDraft] = {}
        numbers = dict.fromkeys(_KINDS, 0)
        known = {kind: [item for item in self._items if item.kind == kind] for kind in _KINDS}
        for entry in output:
            fields = as_object(entry)
            kind = as_text(fields.get("type"))
            if kind not in _KINDS:
                continue
            number = numbers[kind]
            numbers[kind] += 1
            item = self._by_id.get(as_text(fields.get("id")))
            if item is None or item.kind != kind:
                # Some servers name an item anew in every event.
                same = known[kind]
                missing = number >= len(same)
                item = self._open(kind, fields, None, deltas) if missing else same[number]
            listed.setdefault(id(item), item)
            self._settle(item, fields, deltas)
        if len(listed) == len(self._items):
            self._items = list(listed.values())

    def find(self, kind: str, item_id: Any, place: Any, deltas: list[Delta]) -> ItemDraft:
        """Find the item that an event is about; one that nobody began is begun."""
        item = self._by_id.get(as_text(item_id))
        if item is None and type(place) is int:
            item = self._by_place.get(place)
        if item is None or item.kind != kind:
            item = self._open(kind, {"id": item_id}, place, deltas)
        return item

    def add_text(self, item: ItemDraft, text: str, deltas: list[Delta]) -> None:
        """Take a further piece of an item, of whatever kind it is."""
        if not text:
            return
        item.pieces.append(text)
        if item.kind == MESSAGE:
            deltas.append(TextDelta(text))
        elif item.kind == REASONING:
            deltas.append(ReasoningDelta(text))
        else:
            deltas.append(ToolCallDelta(item.call, arguments=text))

    def add_reasoning(
        self, item: ItemDraft, block: tuple[str, Any], text: str, deltas: list[Delta]
    ) -> None:
        """Take a further piece of one block of reasoning."""
        if text and item.pieces and block != item.block:
            text = PARAGRAPH + text
        item.block = block
        self.add_text(item, text, deltas)

    def _open(
        self, kind: str, fields: dict[str, Any], place: Any, deltas: list[Delta]
    ) -> ItemDraft:
        item = ItemDraft(kind)
        self._items.append(item)
        item_id = as_name(fields.get("id"))
        if item_id is not None:
            self._by_id[item_id] = item
        if type(place) is int:
            self._by_place[place] = item
        if kind == CALL:
            item.call = self._calls
            self._calls += 1
            item.call_id = as_name(fields.get("call_id")) or f"call_{item.call}"
            item.name = as_text(fields.get("name"))
            deltas.append(ToolCallDelta(item.call, item.call_id, item.name))
        return item

    def _settle(self, item: ItemDraft, fields: dict[str, Any], deltas: list[Delta]) -> None:
        """Take what a whole item says, as far as its pieces have not said it.

        It is told at its own end and at that of the reply; a server that repeats it
        more often is not listened to, as each time costs as much as the text is long.
        """
        item.settled += 1
        if item.settled > _TIMES:
            return
        if item.kind == MESSAGE:
            item.phase = as_name(fields.get("phase")) or item.phase
            content = [as_object(part) for part in as_list(fields.get("content"))]
            self.refused = self.refused or any(as_name(part.get("refusal")) for part in content)
            self._complete(item, "".join([as_text(part.get("text")) for part in content]), deltas)
        elif item.kind == REASONING:
            self._complete(item, text_of(fields), deltas)
            opaque = opaque_of(fields)
            if opaque is not None and item.opaque is None:
                deltas.append(ReasoningDelta("", opaque, DIALECT))
            # That of the whole reply stands: what came before may have been unfinished.
            item.opaque = opaque or item.opaque
        else:
            call_id, name = as_name(fields.get("call_id")), as_name(fields.get("name"))
            if (call_id or item.call_id, name or item.name) != (item.call_id, item.name):
                item.call_id, item.name = call_id or item.call_id, name or item.name
                deltas.append(ToolCallDelta(item.call, item.call_id, item.name))
            arguments = fields.get("arguments")
            if type(arguments) is dict:
                arguments = rewrite(arguments)
            self._complete(item, as_text(arguments), deltas)

    def _complete(self, item: ItemDraft, whole: str, deltas: list[Delta]) -> None:
        """Add the rest of a text; where it says something else, what was streamed stands."""
        so_far = "".join(item.pieces)
        if whole.startswith(so_far):
            self.add_text(item, whole[len(so_far) :], deltas)

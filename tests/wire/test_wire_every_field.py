"""What each dialect does with each field of a request and each kind of part.

A new field, a new part or a new dialect makes a test here fail until it is said what
happens: it is sent, refused by a typed error that names it, or known to change nothing.
"""

import json
from itertools import product
from typing import Any, Literal, TypeAlias

import attrs
import pytest

from trio_llm.chat import (
    Audio,
    File,
    Image,
    Message,
    OutputSchema,
    Reasoning,
    Request,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from trio_llm.chat.messages import Part
from trio_llm.errors import UnsupportedError
from trio_llm.providers.catalogue import KINDS
from trio_llm.wire import DIALECTS

Fate: TypeAlias = Literal["sent", "refused", "hint", "elsewhere"]
"""``hint``: left out, and the answer may be the same; ``elsewhere``: never for the wire."""

MARK = "qzmark"
NUMBER = 7919
HALF = 0.40625
TOOLS = (Tool(MARK, "Looks.", {"type": "object", "properties": {}}), Tool("other"))
SCHEMA: dict[str, Any] = {"type": "object", "properties": {MARK: {"type": "string"}}}

VALUES: dict[str, tuple[Any, str]] = {
    "messages": ([Message("user", MARK)], MARK),
    "model": (MARK, MARK),
    "max_tokens": (NUMBER, str(NUMBER)),
    "temperature": (HALF, str(HALF)),
    "top_p": (HALF, str(HALF)),
    "stop": ((MARK,), MARK),
    "seed": (NUMBER, str(NUMBER)),
    "tools": (TOOLS, MARK),
    "tool_choice": (MARK, MARK),
    "parallel_tool_calls": (False, "parallel"),
    "reasoning": ("high", "high"),
    "output": (OutputSchema("shape", SCHEMA), MARK),
    "user": (MARK, MARK),
    "metadata": ({"key": MARK}, MARK),
    "prefer": (MARK, MARK),
    "max_attempts": (NUMBER, str(NUMBER)),
    "on_interrupt": ("resume", "resume"),
    "continuation": (True, "continuation"),
    "side_effects": (True, "side_effects"),
    "extra": ({}, MARK),
    "tags": ({"key": MARK}, MARK),
    "cache": ("read_only", "read_only"),
}
"""For each field a value that can be found again in a body, and what to look for."""

USUAL: dict[str, Fate] = {
    "messages": "sent",
    # The caller of a dialect resolves it first: what is sent is the argument.
    "model": "elsewhere",
    "max_tokens": "sent",
    "temperature": "sent",
    "top_p": "sent",
    "stop": "sent",
    "seed": "sent",
    "tools": "sent",
    "tool_choice": "sent",
    "parallel_tool_calls": "sent",
    "reasoning": "sent",
    "output": "sent",
    "user": "sent",
    "metadata": "sent",
    "prefer": "elsewhere",
    "max_attempts": "elsewhere",
    "on_interrupt": "elsewhere",
    # The messages themselves show it: the last of them is the assistant's.
    "continuation": "elsewhere",
    "side_effects": "elsewhere",
    "extra": "sent",
    "tags": "elsewhere",
    "cache": "elsewhere",
}

FIELDS: dict[str, dict[str, Fate]] = {
    "openai_chat": {},
    "huggingface": {},
    "cloudflare_run": {},
    "openai_responses": {"stop": "refused", "seed": "hint"},
    "anthropic": {"seed": "hint", "metadata": "hint"},
    "gemini": {"parallel_tool_calls": "hint", "user": "hint", "metadata": "hint"},
    # Cohere thinks or does not: an effort in words is all that it can be told.
    "cohere": {"parallel_tool_calls": "hint", "user": "hint", "metadata": "hint"},
    "ollama": {
        "tool_choice": "refused",
        "parallel_tool_calls": "hint",
        "user": "hint",
        "metadata": "hint",
    },
}
"""In what each dialect differs from the usual."""

LOOK: dict[tuple[str, str], str] = {
    ("cohere", "reasoning"): "enabled",
    ("gemini", "reasoning"): "HIGH",
    # One tool that is forced by name is the only one that goes.
    ("cohere", "tool_choice"): "REQUIRED",
}
"""What to look for where a dialect has a word of its own."""

PARTS: dict[type, Part] = {
    Text: Text(MARK),
    Image: Image(content=MARK.encode(), media_type="image/png"),
    Audio: Audio(MARK.encode(), "audio/wav"),
    File: File(content=MARK.encode(), media_type="application/pdf", name="a.pdf"),
    Reasoning: Reasoning(MARK),
    ToolCall: ToolCall("c1", MARK, {"x": 1}),
    ToolResult: ToolResult("c1", MARK),
}
BASE64 = "cXptYXJr"
"""`MARK` as it goes where bytes go."""

USUAL_PARTS: dict[type, Fate] = {
    Text: "sent",
    Image: "sent",
    Audio: "refused",
    File: "refused",
    # Its text without its state has no place in any dialect; with it, the dialects' own
    # tests tell.
    Reasoning: "hint",
    ToolCall: "sent",
    ToolResult: "sent",
}
DIALECT_PARTS: dict[str, dict[type, Fate]] = {
    "openai_chat": {Audio: "sent", File: "sent"},
    "huggingface": {Audio: "sent", File: "sent"},
    "cloudflare_run": {Audio: "sent", File: "sent"},
    "openai_responses": {File: "sent"},
    "anthropic": {File: "sent"},
    "gemini": {Audio: "sent", File: "sent"},
    "cohere": {},
    "ollama": {},
}


def _body(dialect: str, **fields: Any) -> str:
    given: dict[str, Any] = {"messages": "hello"} | fields
    request = Request(**given)
    sent = DIALECTS[dialect].encode(request, model="m", stream=False).body.decode()
    json.loads(sent)
    return sent


def test_every_field_and_every_part_is_spoken_of() -> None:
    """The tables of this file name all there are, and nothing else."""
    names = {field.name for field in attrs.fields(Request)}
    assert names == VALUES.keys() == USUAL.keys()
    assert {part.__name__ for part in PARTS} == {
        kind.__name__ for kind in getattr(Part, "__args__", ())
    }
    assert PARTS.keys() == USUAL_PARTS.keys()
    assert FIELDS.keys() == DIALECTS.keys() == DIALECT_PARTS.keys()
    for fates in FIELDS.values():
        assert fates.keys() <= names


@pytest.mark.parametrize(("dialect", "field"), list(product(FIELDS, VALUES)))
def test_each_field_has_its_fate(dialect: str, field: str) -> None:
    """It is sent, or refused by name, or left out where that is known."""
    value, found = VALUES[field]
    found = LOOK.get((dialect, field), found)
    fields = {field: {dialect: {MARK: 1}} if field == "extra" else value}
    plain: dict[str, Any] = {}
    if field in ("tool_choice", "parallel_tool_calls"):
        plain["tools"] = TOOLS
    fate = USUAL | FIELDS[dialect]
    if fate[field] == "refused":
        with pytest.raises(UnsupportedError, match=rf"^{field}: "):
            _body(dialect, **plain, **fields)
        return
    before, after = _body(dialect, **plain), _body(dialect, **plain, **fields)
    if fate[field] == "sent":
        assert after.count(found) > (0 if (dialect, field) in LOOK else before.count(found))
        assert after != before
    else:
        assert after == before


@pytest.mark.parametrize(("dialect", "kind"), list(product(DIALECT_PARTS, PARTS)))
def test_each_part_has_its_fate(dialect: str, kind: type) -> None:
    """It is sent, or refused with its place, or left out where that is known."""
    part = PARTS[kind]
    messages: list[Message] = [Message("user", "hello")]
    if kind in (ToolCall, ToolResult):
        call = part if kind is ToolCall else ToolCall("c1", "other")
        result = part if kind is ToolResult else ToolResult("c1", "done")
        messages += [Message("assistant", call), Message("tool", result)]
    elif kind is Reasoning:
        messages += [Message("assistant", ["so", part]), Message("user", "go on")]
    else:
        messages.append(Message("user", part))
    fate = USUAL_PARTS | DIALECT_PARTS[dialect]
    if fate[kind] == "refused":
        with pytest.raises(UnsupportedError, match=r"^messages\[1\]\.content\[0\]: "):
            _body(dialect, messages=messages)
        return
    sent = _body(dialect, messages=messages)
    assert (MARK in sent or BASE64 in sent) is (fate[kind] == "sent")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("choice", ["auto", "none", "required", MARK])
def test_a_tool_choice_is_never_lost(dialect: str, choice: str) -> None:
    """Each choice but ``auto``, the default of all, changes the request or is refused."""
    if dialect == "ollama" and choice in ("required", MARK):
        with pytest.raises(UnsupportedError, match=r"^tool_choice: "):
            _body(dialect, tools=TOOLS, tool_choice=choice)
        return
    plain = json.loads(_body(dialect, tools=TOOLS))
    chosen = json.loads(_body(dialect, tools=TOOLS, tool_choice=choice))
    assert choice == "auto" or chosen != plain


IMAGE_BY_ADDRESS = Image(url=f"https://{MARK}.org/a.png")
FILE_BY_ADDRESS = File(url=f"https://{MARK}.org/a.pdf")
NO_FILE_BY_ADDRESS = {"ollama", "cohere", "openai_chat", "huggingface", "cloudflare_run"}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("part", [IMAGE_BY_ADDRESS, FILE_BY_ADDRESS])
def test_an_address_goes_as_it_is_or_is_refused(dialect: str, part: Image | File) -> None:
    """What the provider would have to fetch is never left out in silence."""
    messages = [Message("user", ["look", part])]
    if dialect in ({"ollama"} if part is IMAGE_BY_ADDRESS else NO_FILE_BY_ADDRESS):
        with pytest.raises(UnsupportedError, match=r"^messages\[0\]\.content\[1\]: "):
            _body(dialect, messages=messages)
        return
    assert str(part.url) in _body(dialect, messages=messages)


@pytest.mark.parametrize("kind", KINDS)
def test_no_provider_loses_what_changes_the_answer(kind: str) -> None:
    """What a provider's quirks leave out are labels that the model never sees."""
    harmless = {"user", "metadata", "parallel_tool_calls", "include"}
    assert KINDS[kind].quirks.unsupported <= harmless

"""The digest of a request: equal for what asks the same, different for all else."""

from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trio_llm import (
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
from trio_llm.chat.digest import digest_of
from trio_llm.testing import seeds

ASIDE = ("cache", "metadata", "prefer", "max_attempts", "on_interrupt", "side_effects", "tags")
WORDS = st.text(max_size=3)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner) | st.dictionaries(WORDS, inner),
    max_leaves=4,
)
PARTS = st.one_of(
    st.builds(Text, WORDS),
    st.builds(Reasoning, WORDS, st.none() | st.dictionaries(WORDS, JSON)),
    st.builds(Image, url=WORDS),
    st.builds(Image, content=st.binary(), media_type=st.just("image/png")),
    st.builds(Audio, st.binary()),
    st.builds(File, content=st.binary(), media_type=st.just("text/plain")),
    st.builds(ToolCall, WORDS, WORDS, st.dictionaries(WORDS, JSON)),
    st.builds(ToolResult, WORDS, WORDS, st.booleans()),
)
MESSAGES = st.builds(
    Message, st.sampled_from(("system", "user", "assistant", "tool")), st.lists(PARTS, max_size=3)
)


def _request(messages: list[Message], **options: Any) -> Request:
    return Request(messages=[Message("user", "x"), *messages], **options)


REQUESTS = st.builds(
    _request,
    st.lists(MESSAGES, max_size=3),
    model=st.none() | WORDS,
    temperature=st.none() | st.integers(0, 2),
    stop=st.lists(WORDS, max_size=2),
    tools=st.lists(st.builds(Tool, WORDS, WORDS, st.dictionaries(WORDS, JSON)), max_size=2),
    user=st.none() | WORDS,
    extra=st.dictionaries(WORDS, st.dictionaries(WORDS, JSON), max_size=2),
)


def _asks(request: Request) -> Request:
    """Leave out what says nothing of the question."""
    plain = Request(messages="x")
    return attrs.evolve(request, **{name: getattr(plain, name) for name in ASIDE})


def _alike(one: Any, other: Any) -> bool:
    """Compare, without taking a boolean for a number."""
    return repr(one) == repr(other) and one == other


@settings(max_examples=len(seeds(60, share=3)), deadline=None)
@given(one=REQUESTS, other=REQUESTS)
def test_digests_are_equal_exactly_for_equal_questions(one: Request, other: Request) -> None:
    """No two questions share a digest, and a question always has the same."""
    assert digest_of(one) == digest_of(attrs.evolve(one))
    assert (digest_of(one) == digest_of(other)) == _alike(_asks(one), _asks(other))


@settings(max_examples=len(seeds(60, share=3)), deadline=None)
@given(request=REQUESTS, tags=st.dictionaries(WORDS, WORDS))
def test_what_says_nothing_of_the_question_is_left_out(
    request: Request, tags: dict[str, str]
) -> None:
    """Labels, preferences and limits do not count, nor does the order of keys."""
    other = attrs.evolve(request, tags=tags, metadata=tags, prefer="x", max_attempts=3)
    assert digest_of(other) == digest_of(request)
    turned = {name: dict(reversed(list(table.items()))) for name, table in request.extra.items()}
    assert digest_of(attrs.evolve(request, extra=turned)) == digest_of(request)


def test_every_other_field_of_a_request_counts() -> None:
    """A field that is added to requests counts until somebody says otherwise."""
    changed: dict[str, Any] = {
        "messages": "y",
        "model": "m",
        "max_tokens": 1,
        "temperature": 0.5,
        "top_p": 0.5,
        "stop": "x",
        "seed": 1,
        "tools": [Tool("t")],
        "tool_choice": "none",
        "parallel_tool_calls": True,
        "reasoning": "low",
        "output": OutputSchema("o", {}),
        "user": "u",
        "continuation": True,
        "extra": {"openai_chat": {"a": 1}},
    }
    assert {field.name for field in attrs.fields(Request)} == {*changed, *ASIDE}
    request = Request(messages="x")
    digests = {digest_of(attrs.evolve(request, **{n: v})) for n, v in changed.items()}
    assert len(digests | {digest_of(request)}) == len(changed) + 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"temperature": 1}, {"temperature": 1.0}),
        ({"tools": [Tool("t", function=print)]}, {"tools": [Tool("t", function=repr)]}),
        ({"stop": "x"}, {"stop": ["x"]}),
    ],
)
def test_what_is_written_in_two_ways_is_one(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Numbers count by their value, and a tool's function is never sent."""
    assert digest_of(Request(messages="x", **one)) == digest_of(Request(messages="x", **other))


def test_what_is_nested_too_deeply_has_none() -> None:
    """A request that cannot be read through is not remembered, and breaks nothing."""
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"a": deep}
    assert digest_of(Request(messages="x", extra={"openai_chat": deep})) is None
    while deep:
        deep = deep.pop("a")  # so that it is not torn down in one go


@given(messages=st.lists(MESSAGES, max_size=3))
def test_a_message_is_written_as_any_record_is(messages: list[Message]) -> None:
    """The shorter way to write the commonest records gives what the general one does."""
    general: list[Message] = [
        _General(each.role, [_general(part) for part in each.content]) for each in messages
    ]
    assert digest_of(_request(messages)) == digest_of(_request(general))


class _General(Message):
    """A message that is written as any record is."""


class _GeneralText(Text):
    """A text that is, likewise."""


_General.__name__, _GeneralText.__name__ = "Message", "Text"


def _general(part: Any) -> Any:
    return _GeneralText(part.text) if type(part) is Text else part

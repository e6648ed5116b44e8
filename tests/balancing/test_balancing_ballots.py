"""What of an answer is voted on."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from trio_llm import Completion, Message, OutputSchema, Request, ToolCall
from trio_llm.balancing.ballots import ByValue, ballot_of
from trio_llm.chat.messages import Part
from trio_llm.policy.agreement import Ballot, Exact, Similar

PLAIN = Request(messages="hi")
TYPED = Request(messages="hi", output=OutputSchema("x", {"type": "object"}))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=3), children, max_size=3)
    ),
    max_leaves=6,
)
CALLS = st.lists(
    st.tuples(st.sampled_from(("look", "find")), st.dictionaries(st.text(max_size=3), VALUES)),
    min_size=1,
    max_size=3,
)


def _ballot(*parts: Part | str, request: Request = PLAIN) -> Ballot:
    return ballot_of("a", 0, 1.0, request, Completion(Message("assistant", parts)))


def _turned(table: dict[str, Any]) -> dict[str, Any]:
    return dict(reversed(table.items()))


@given(CALLS)
def test_neither_ids_nor_order_nor_text_beside_them_matter_to_tool_calls(
    calls: list[tuple[str, dict[str, Any]]],
) -> None:
    """Two answers that call the same with the same arguments agree."""
    one = _ballot(*[ToolCall(f"x{i}", name, table) for i, (name, table) in enumerate(calls)])
    other = _ballot(
        "Let me see.",
        *[
            ToolCall.parse(f"y{i}", name, json.dumps(_turned(table)))
            for i, (name, table) in enumerate(reversed(calls))
        ],
    )
    assert one.value == other.value
    for agreement in (Exact(), ByValue(Similar())):
        assert agreement.same(one, other)


@given(CALLS, CALLS)
def test_calls_that_differ_do_not_agree(
    one: list[tuple[str, dict[str, Any]]], other: list[tuple[str, dict[str, Any]]]
) -> None:
    """Whatever differs in a name or an argument tells two answers apart."""

    def key(calls: list[tuple[str, dict[str, Any]]]) -> list[str]:
        return sorted(json.dumps(call, sort_keys=True) for call in calls)

    ballots = [
        _ballot(*[ToolCall("x", name, table) for name, table in calls]) for calls in (one, other)
    ]
    for agreement in (Exact(), ByValue(Similar())):
        assert agreement.same(*ballots) == (key(one) == key(other))


def test_a_call_never_agrees_with_words() -> None:
    """Whoever calls a tool says something else than whoever talks of it."""
    call, words = _ballot(ToolCall("x", "look")), _ballot("look")
    silence = _ballot("")
    for agreement in (Exact(), ByValue(Similar())):
        assert not agreement.same(call, words)
        assert not agreement.same(call, silence)


def test_arguments_that_are_no_json_agree_as_they_were_written() -> None:
    """Broken arguments are compared as text, and are not the empty object."""
    broken = [_ballot(ToolCall.parse("x", "look", text)) for text in ('{"a":', '{"a":', '{"b":')]
    assert Exact().same(broken[0], broken[1])
    assert not Exact().same(broken[0], broken[2])
    assert not Exact().same(broken[0], _ballot(ToolCall("x", "look")))


def test_arguments_of_ones_own_making_are_taken_as_they_come() -> None:
    """A provider of the user's own may put anything among them."""
    circle: dict[str, Any] = {}
    circle["self"] = circle
    for table in ({"a": {1, 2}}, {"a": float("nan")}, {"a": 1j}, circle, {"a": b"x"}):
        ballots = [_ballot(ToolCall(name, "look", table)) for name in "xy"]
        assert Exact().same(*ballots)
        assert not Exact().same(ballots[0], _ballot(ToolCall("x", "look")))


@given(st.dictionaries(st.text(max_size=3), VALUES))
def test_values_count_where_a_shape_was_asked_for(table: dict[str, Any]) -> None:
    """The order of keys and white space do not matter then; otherwise text is text."""
    compact, spread = json.dumps(table), json.dumps(_turned(table), indent=2)
    assert Exact().same(_ballot(compact, request=TYPED), _ballot(spread, request=TYPED))
    assert _ballot(compact).value is None

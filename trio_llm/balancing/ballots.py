"""What of an answer is voted on: its value, its tool calls or its words."""

import json
from collections.abc import Sequence
from typing import Any, ClassVar

import attrs

from trio_llm.chat import Completion, Request, ToolCall
from trio_llm.policy.agreement import Agreement, Ballot
from trio_llm.policy.canonical import canonical_value


@attrs.frozen
class ByValue:
    """Answers that have a value agree when it is equal; the others as `words` says.

    Attributes:
        words: When two answers that are mere text agree.
    """

    words: Agreement

    transitive: ClassVar[bool] = False

    def same(self, a: Ballot, b: Ballot) -> bool:
        """Tell whether two answers say the same; the better-ranked one comes first."""
        if a.value is None and b.value is None:
            return self.words.same(a, b)
        return a.value is not None and b.value is not None and a.key == b.key


def ballot_of(
    name: str,
    rank: int,
    weight: float,
    request: Request,
    completion: Completion,
    vector: Sequence[float] | None = None,
) -> Ballot:
    """Make the ballot of a member's answer.

    Where tools are called the calls are what it says, whatever their order and ids, and
    the text beside them does not count. Where a shape was asked for it is the JSON value.

    Args:
        name: The member.
        rank: Its declared position.
        weight: What its vote counts.
        request: What was asked.
        completion: What it answered.
        vector: The embedding of its text.
    """
    calls = completion.message.tool_calls
    if calls:
        return Ballot(name, rank, weight, "", _value_of(calls))
    text = completion.message.text
    value = None if request.output is None else canonical_value(text)
    return Ballot(name, rank, weight, text, value, vector)


def _value_of(calls: Sequence[ToolCall]) -> str:
    return f"[{','.join(sorted(_call(call) for call in calls))}]"


def _call(call: ToolCall) -> str:
    if not call.is_valid:
        return json.dumps({"arguments": call.raw, "name": call.name})
    try:
        written = json.dumps(call.arguments, default=_plain)
    except (TypeError, ValueError, RecursionError):  # a provider of the user's own made them
        written = json.dumps(repr(call.arguments))
    arguments = canonical_value(written) or json.dumps(written)
    return f'{{"arguments":{arguments},"name":{json.dumps(call.name)}}}'


def _plain(value: Any) -> Any:
    """Write what a provider of the user's own may put among arguments."""
    try:
        return dict(value)
    except (TypeError, ValueError):
        return str(value)

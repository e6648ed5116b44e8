"""The default scorer of a quality race: how complete an answer is, by its form alone."""

import json
from collections.abc import Mapping
from typing import Any, Final

from trio_llm.chat import Completion, FinishReason, OutputSchema, Request, ToolCall
from trio_llm.policy.canonical import fenced_json, refuse_constant
from trio_llm.policy.judge import first_score_in as first_score_in
from trio_llm.policy.judge import judge_prompt as judge_prompt
from trio_llm.policy.refusals import reads_as_refusal as reads_as_refusal
from trio_llm.policy.schema_fit import fits, has_required, is_of_type

_FINISH: Final[Mapping[FinishReason, float]] = {
    "stop": 1.0,
    "tool_calls": 1.0,
    "unknown": 0.7,
    "length": 0.5,
    "content_filter": 0.15,
}
_REFUSED: Final = 0.2

_WRAPPED: Final = 0.95
_MISFIT: Final = 0.75
_LACKING: Final = 0.5
_OF_OTHER_TYPE: Final = 0.4
_NO_JSON: Final = 0.25

_WRONG_ARGUMENTS: Final = 0.75
_UNUSABLE_CALL: Final = 0.5
_NO_CALL: Final = 0.25


def completeness(request: Request, completion: Completion) -> float:
    """Score an answer from 0 to 1 by its form; what it says is not judged.

    An answer without text and tool calls scores 0. For any other the score is the
    product of these factors, so that a whole and valid one alone scores 1:

    ====================================================  ======
    how it ended: ``stop``, ``tool_calls``                1
    ``unknown`` (also ``tool_calls`` without a call)      0.7
    ``length``                                            0.5
    ``content_filter``                                    0.15
    a refusal, as far as `reads_as_refusal` can tell            0.2
    for ``output``: the text is JSON that may fit         1
    the JSON stands in a fence or among words             0.95
    it does not fit in some other way                     0.75
    a required field is missing at the top                0.5
    it is of another type                                 0.4
    there is no JSON                                      0.25
    with tool calls: arguments that do not fit            0.75
    no JSON object as arguments, or a tool not offered    0.5
    ``tool_choice`` demands a call that is not there      0.25
    ====================================================  ======

    Beside tool calls the text is no answer yet, and is not held to a schema. The worst
    of several calls counts.

    Args:
        request: What was asked.
        completion: What was answered.
    """
    message = completion.message
    calls = message.tool_calls
    text = message.text.strip()
    if not text and not calls:
        return 0.0
    score = _finish(completion, calls) * _tools(request, calls)
    if not calls:
        if reads_as_refusal(text):
            score *= _REFUSED
        if request.output is not None:
            score *= _shape(text, request.output)
    return score


def _finish(completion: Completion, calls: tuple[ToolCall, ...]) -> float:
    if completion.finish_reason == "tool_calls" and not calls:
        return _FINISH["unknown"]
    return _FINISH[completion.finish_reason]


def _tools(request: Request, calls: tuple[ToolCall, ...]) -> float:
    choice = request.tool_choice
    offered = {} if choice == "none" else {tool.name: tool for tool in request.tools}
    demanded = set(offered) if choice == "required" else {choice}
    if choice not in (None, "auto", "none") and all(call.name not in demanded for call in calls):
        return _NO_CALL
    worst = 1.0
    for call in calls:
        if call.name not in offered or not call.is_valid:
            worst = min(worst, _UNUSABLE_CALL)
        elif not fits(dict(call.arguments), offered[call.name].parameters):
            worst = min(worst, _WRONG_ARGUMENTS)
    return worst


def _shape(text: str, output: OutputSchema) -> float:
    found, value = _decoded(text)
    factor = 1.0
    if not found:
        found, value = _value_within(text)
        factor = _WRAPPED
    if not found:
        return _NO_JSON
    if not is_of_type(value, output.schema):
        return factor * _OF_OTHER_TYPE
    if not has_required(value, output.schema):
        return factor * _LACKING
    return factor if fits(value, output.schema) else factor * _MISFIT


# A raw line break in a string is no JSON, but plain enough.
_DECODER: Final = json.JSONDecoder(strict=False, parse_constant=refuse_constant)


def _decoded(text: str) -> tuple[bool, Any]:
    try:
        return True, _DECODER.decode(text)
    except (ValueError, RecursionError):
        return False, None


def _value_within(text: str) -> tuple[bool, Any]:
    """Look for JSON in the code fences, and then for one object among words."""
    for block in fenced_json(text):
        found, value = _decoded(block)
        if found:
            return True, value
    start = text.find("{")
    if start < 0:
        return False, None
    try:
        return True, _DECODER.raw_decode(text, start)[0]
    except (ValueError, RecursionError):
        return False, None

"""What we send keeps each provider's rules about the order of a conversation."""

import json
import re
from collections.abc import Callable
from itertools import pairwise, product
from typing import Any

import pytest

from trio_llm.chat import (
    Audio,
    File,
    Image,
    Message,
    Part,
    Request,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from trio_llm.errors import UnsupportedError
from trio_llm.wire import DIALECTS, presets
from trio_llm.wire.dialect import Dialect

TOOL = Tool("look", "Looks.", {"type": "object", "properties": {"x": {"type": "string"}}})
PDF = File(content=b"%PDF-1.7", media_type="application/pdf", name="a.pdf")
LONG = "functions.look:0/" * 20
HALF_PAIR = "a \ud83d b \U0001f600 \u2028 \x00 c"


def _call(call_id: str, x: str = "1") -> ToolCall:
    return ToolCall(call_id, "look", {"x": x})


def _result(call_id: str, content: str = "seen") -> ToolResult:
    return ToolResult(call_id, content)


def _said(*content: str | Part) -> Message:
    return Message("assistant", content)


def _user(*content: str | Part) -> Message:
    return Message("user", content)


def _tool(*content: Part) -> Message:
    return Message("tool", content)


HI = _user("hi")
SYSTEM = Message("system", "Be brief.")

CONVERSATIONS: dict[str, list[Message]] = {
    "consecutive users": [HI, _user("and"), _user("how"), _said("so"), _user("ok")],
    "consecutive assistants": [HI, _said("a"), _said("b"), _user("ok")],
    "assistant first": [_said("Welcome."), HI],
    "empty assistant turns": [HI, _said(""), _user("say"), Message("assistant", ()), HI],
    "results in another order": [
        HI,
        _said("I look.", _call("a"), _call("b"), _call("c")),
        _tool(_result("c"), _result("a")),
        _tool(_result("b")),
        _said("done"),
    ],
    "results among a user's words": [
        HI,
        _said(_call("a"), _call("b")),
        _user("before", _result("b"), "between", _result("a"), "after"),
    ],
    "a user's words before the results": [
        HI,
        _said(_call("a"), _call("b")),
        _tool(_result("a")),
        _user("hurry"),
        _tool(_result("b")),
        _user("well?"),
    ],
    "words of the system everywhere": [
        SYSTEM,
        HI,
        SYSTEM,
        _said(_call("a")),
        SYSTEM,
        _tool(_result("a")),
        SYSTEM,
        _said("done"),
        SYSTEM,
        _user("ok"),
        SYSTEM,
    ],
    "an empty result": [HI, _said(_call("a")), _tool(_result("a", "")), HI],
    "no end to the text": [
        _user(HALF_PAIR),
        _said(HALF_PAIR, _call("a", HALF_PAIR)),
        _tool(_result("a", HALF_PAIR)),
    ],
    "very long identifiers": [
        HI,
        _said(_call(f"{LONG}1"), _call(f"{LONG}2")),
        _tool(_result(f"{LONG}2"), _result(f"{LONG}1")),
    ],
    "strange identifiers": [
        HI,
        _said(_call("a b"), _call("a/b"), _call("ä"), _call("")),
        _tool(_result(""), _result("a/b"), _result("ä"), _result("a b")),
    ],
    "identifiers of every turn anew": [
        HI,
        *[
            message
            for _ in range(4)
            for message in (
                _said(_call("call_0"), _call("call_1")),
                _tool(_result("call_1"), _result("call_0")),
            )
        ],
        _said("done"),
        HI,
    ],
    "an identifier that another was given": [
        HI,
        _said(_call("call"), _call("call_2")),
        _tool(_result("call_2"), _result("call")),
        _said(_call("call")),
        _tool(_result("call")),
        _said(_call("call_2")),
        _tool(_result("call_2")),
    ],
    "arguments that are no JSON": [
        HI,
        _said(ToolCall.parse("a", "look", '{"x": ba'), ToolCall.parse("b", "look", "[1]")),
        _tool(ToolResult("a", "no JSON", is_error=True), _result("b")),
    ],
    "calls that nothing follows": [HI, _said("I look.", _call("a"))],
    "pictures beside results": [
        _user("look", Image(content=b"\x89PNG", media_type="image/png")),
        _said(_call("a")),
        _user(Image(content=b"\x89PNG", media_type="image/png"), _result("a"), "this"),
    ],
}


def _check_chat(body: Any, *, strict_order: bool = True) -> None:
    """OpenAI, and who follows it: results come right behind their calls, one for each."""
    waiting: list[str] = []
    for message in body["messages"]:
        if message["role"] == "tool":
            waiting.remove(message["tool_call_id"])
            continue
        assert not (strict_order and waiting)
        waiting = []
        for call in message.get("tool_calls", ()):
            assert type(json.loads(call["function"]["arguments"])) is dict
            waiting.append(call["id"])
        assert len(set(waiting)) == len(waiting)
        assert message["role"] != "assistant" or message.keys() & {"content", "tool_calls"}


def _check_openai(body: Any) -> None:
    _check_chat(body)
    ids = [call["id"] for message in body["messages"] for call in message.get("tool_calls", ())]
    assert all(len(call_id) <= 40 for call_id in ids)


def _check_mistral(body: Any) -> None:
    _check_chat(body)
    roles = [message["role"] for message in body["messages"]]
    assert ("tool", "user") not in set(pairwise(roles))
    ids = [call["id"] for message in body["messages"] for call in message.get("tool_calls", ())]
    assert all(re.fullmatch(r"[a-zA-Z0-9]{9}", call_id) for call_id in ids)
    assert len(set(ids)) == len(ids)


def _check_cohere(body: Any) -> None:
    _check_chat(body)
    ids = [call["id"] for message in body["messages"] for call in message.get("tool_calls", ())]
    assert len(set(ids)) == len(ids)


def _check_responses(body: Any) -> None:
    """Each call has one output after it, under an identifier that no other has."""
    waiting: list[str] = []
    seen: set[str] = set()
    for item in body["input"]:
        if item.get("type") == "function_call":
            assert 0 < len(item["call_id"]) <= 64
            assert item["call_id"] not in seen
            assert type(json.loads(item["arguments"])) is dict
            seen.add(item["call_id"])
            waiting.append(item["call_id"])
        elif item.get("type") == "function_call_output":
            waiting.remove(item["call_id"])
        else:
            assert item["content"]


def _check_anthropic(body: Any) -> None:
    """Turns alternate; results open the turn after their calls, one for each; no text is empty."""
    turns = body["messages"]
    roles = [turn["role"] for turn in turns]
    assert all(one != other for one, other in pairwise(roles))
    seen: set[str] = set()
    waiting: list[str] = []
    for turn in turns:
        kinds = [block["type"] for block in turn["content"]]
        results = [block for block in turn["content"] if block["type"] == "tool_result"]
        assert kinds[: len(results)] == ["tool_result"] * len(results)
        assert sorted(block["tool_use_id"] for block in results) == sorted(waiting)
        waiting = [block["id"] for block in turn["content"] if block["type"] == "tool_use"]
        assert all(re.fullmatch(r"[a-zA-Z0-9_-]+", call_id) for call_id in waiting)
        assert not seen & set(waiting)
        seen |= set(waiting)
        assert len(set(waiting)) == len(waiting)
        assert all(block["text"].strip() for block in turn["content"] if block["type"] == "text")


def _check_gemini(body: Any) -> None:
    """Turns alternate; as many results open the turn after the calls as there were calls."""
    turns = body["contents"]
    assert all(one["role"] != other["role"] for one, other in pairwise(turns))
    waiting: list[tuple[str, str]] = []
    for turn in turns:
        results = [part["functionResponse"] for part in turn["parts"] if "functionResponse" in part]
        assert all("functionResponse" in part for part in turn["parts"][: len(results)])
        assert sorted((result["id"], result["name"]) for result in results) == sorted(waiting)
        calls = [part["functionCall"] for part in turn["parts"] if "functionCall" in part]
        assert all(type(call["args"]) is dict for call in calls)
        waiting = [(call["id"], call["name"]) for call in calls]
        assert len(set(waiting)) == len(waiting)


def _check_ollama(body: Any) -> None:
    """Arguments are objects, and every result names its tool."""
    for message in body["messages"]:
        assert all(
            type(call["function"]["arguments"]) is dict for call in message.get("tool_calls", ())
        )
        assert message["role"] != "tool" or message["tool_name"] == "look"


STRICT: dict[str, tuple[Dialect, Callable[[Any], None]]] = {
    "openai": (DIALECTS["openai_chat"].adapted(presets.OPENAI), _check_openai),
    "mistral": (DIALECTS["openai_chat"].adapted(presets.MISTRAL), _check_mistral),
    "openai_responses": (DIALECTS["openai_responses"], _check_responses),
    "anthropic": (DIALECTS["anthropic"], _check_anthropic),
    "gemini": (DIALECTS["gemini"], _check_gemini),
    "cohere": (DIALECTS["cohere"], _check_cohere),
}
LENIENT: dict[str, tuple[Dialect, Callable[[Any], None]]] = {
    "openai_chat": (DIALECTS["openai_chat"], _check_chat),
    "ollama": (DIALECTS["ollama"], _check_ollama),
}
ALL = STRICT | LENIENT


def _sent(dialect: Dialect, messages: list[Message]) -> Any:
    request = Request(messages=messages, tools=(TOOL,))
    return json.loads(dialect.encode(request, model="m", stream=False).body)


@pytest.mark.parametrize(("provider", "name"), list(product(ALL, CONVERSATIONS)))
def test_the_rules_of_order_are_kept(provider: str, name: str) -> None:
    """Turns, results and identifiers stand where the provider wants them, and none is lost."""
    dialect, check = ALL[provider]
    messages = CONVERSATIONS[name]
    body = _sent(dialect, messages)
    check(body)
    written = json.dumps(body)
    results = [
        part for message in messages for part in message.content if isinstance(part, ToolResult)
    ]
    for result in results:
        # Gemini and Anthropic know an error by its key, the others by a word before it.
        assert written.count(json.dumps(result.content)[1:-1]) >= 1
    texts = [part.text for message in messages for part in message.content if type(part) is Text]
    for text in texts:
        assert json.dumps(text)[1:-1] in written


@pytest.mark.parametrize("provider", ["openai_responses", "anthropic", "cohere"])
def test_calls_of_one_turn_that_share_an_identifier_are_told_apart(provider: str) -> None:
    """Servers have given several calls of a turn the same one: results go by their order."""
    turn = [_said(_call("a", "1"), _call("a", "2")), _tool(_result("a", "r1"), _result("a", "r2"))]
    dialect, check = ALL[provider]
    messages = [HI, *turn, *turn, _said("done"), HI]
    check(_sent(dialect, messages))
    sent = dialect.encode(Request(messages=messages), model="m", stream=False)
    arrived = dialect.parse(sent.path, sent.body).request.messages
    parts = [part for message in arrived for part in message.content]
    towns = {part.id: part.arguments["x"] for part in parts if isinstance(part, ToolCall)}
    results = [part for part in parts if isinstance(part, ToolResult)]
    assert len(towns) == len(results) == 4
    assert all(f"r{towns[result.call_id]}" == result.content for result in results)


CALLS = [HI, _said("I look.", _call("a"), _call("b"))]
UNPAIRED: dict[str, tuple[list[Message], str]] = {
    "no result at all": ([*CALLS, _user("never mind")], r"messages\[1\]\.content\[1\]: .*'a'"),
    "one result of two": (
        [*CALLS, _tool(_result("a")), _user("and?")],
        r"messages\[1\]\.content\[2\]: .*'look' \(identifier 'b'\)",
    ),
    "a result that comes a turn too late": (
        [*CALLS, _tool(_result("a")), _said("well"), _tool(_result("b"))],
        r"messages\[1\]\.content\[2\]: .*'b'",
    ),
    "two results for one call": (
        [*CALLS, _tool(_result("a"), _result("b"), _result("a"))],
        r"messages\[2\]\.content\[2\]: .*'a'",
    ),
    "a result without a call": (
        [HI, _tool(ToolResult("x", "seen", name="look"))],
        r"messages\[1\]\.content\[0\]: .*'x'",
    ),
    "a result of a call that was cut off": (
        [_tool(ToolResult("a", "seen", name="look")), _said("done"), HI],
        r"messages\[0\]\.content\[0\]: .*'a'",
    ),
}


@pytest.mark.parametrize(("provider", "name"), list(product(STRICT, UNPAIRED)))
def test_a_call_without_a_result_is_refused_by_name(provider: str, name: str) -> None:
    """Where the provider answers 400 nothing is sent: the error names the part and the call."""
    messages, words = UNPAIRED[name]
    with pytest.raises(UnsupportedError, match=rf"^{words}"):
        _sent(STRICT[provider][0], messages)


@pytest.mark.parametrize(("provider", "name"), list(product(LENIENT, UNPAIRED)))
def test_where_a_server_may_take_it_it_is_sent(provider: str, name: str) -> None:
    """Servers differ: what a model's template makes of it is theirs to say."""
    messages = UNPAIRED[name][0]
    body = _sent(LENIENT[provider][0], messages)
    results = [message for message in body["messages"] if message["role"] == "tool"]
    assert len(results) == sum(
        isinstance(part, ToolResult) for message in messages for part in message.content
    )


@pytest.mark.parametrize("provider", ALL)
def test_sound_and_files_stand_where_they_were_put(provider: str) -> None:
    """Each arrives in its message, in order, or is refused with its place."""
    dialect, check = ALL[provider]
    takes_files = provider not in ("cohere", "ollama")
    takes_sound = provider in ("openai", "mistral", "openai_chat", "gemini")
    messages = [_user("read", PDF, "this"), _said("so"), _user(Audio(b"RIFF"), "and hear")]
    if takes_files and takes_sound:
        body = _sent(dialect, messages)
        check(body)
        arrived = dialect.parse(
            dialect.encode(Request(messages=messages), model="m", stream=False).path,
            json.dumps(body).encode(),
        ).request
        kinds = [[type(part) for part in message.content] for message in arrived.messages]
        assert kinds == [[Text, File, Text], [Text], [Audio, Text]]
        return
    place = r"messages\[2\]\.content\[0\]" if takes_files else r"messages\[0\]\.content\[1\]"
    with pytest.raises(UnsupportedError, match=rf"^{place}: "):
        _sent(dialect, messages)


def test_no_blank_text_goes_to_anthropic() -> None:
    """It refuses a block of white space; without it nothing is lost."""
    messages = [Message("system", "\n"), HI, _said(" \n", _call("a")), _user(_result("a"), "\t")]
    body = _sent(DIALECTS["anthropic"], messages)
    _check_anthropic(body)
    assert "system" not in body
    assert [len(turn["content"]) for turn in body["messages"]] == [1, 1, 1]

"""How far each recorded exchange reads as an independent reducer read it.

``python -m tests.wire.wire_corpus`` prints the counts by provider and interface.
"""

import json
from collections import Counter
from typing import Any

import attrs

from tests.wire.wire_recordings import Exchange, recordings
from trio_llm.chat import (
    Completion,
    Done,
    Embeddings,
    ModelList,
    Moderation,
    OperationResult,
    TokenCount,
    Usage,
)
from trio_llm.errors import ProviderError
from trio_llm.providers.catalogue import KINDS
from trio_llm.wire import DIALECTS, Dialect
from trio_llm.wire.values import as_list, as_object

NOW = 1_795_000_000.0

_NO_NAME = "a call without an identifier is given one"
_NUMBER = "a finish reason in the number of an enumeration is given by its name"
_PARSED = "the answer came as an object, which is given as JSON text rather than dropped"
_PICTURES = "pictures are input too; the recording's reader left their tokens out"
PINNED: dict[str, tuple[frozenset[str], str]] = {
    name: (frozenset(fields), reason)
    for reason, fields, names in (
        (_PARSED, ["text"], [f"cloudflare/chat__schema__0{number}" for number in (1, 2, 3)]),
        (
            "a call in the older form is a tool call here",
            ["tool_calls"],
            ["openai/chat__tools__02"],
        ),
        (
            _NO_NAME,
            ["tool_calls"],
            [
                "gemini/chat__tools__01",
                "gemini/generate__reasoning_stream__01",
                "gemini/generate__tools_stream__01",
                "gemini/generate__tools_stream__02",
                "vertex/generate__tools__01",
                "vertex/generate__tools__02",
                "vertex/generate__tools__03",
                "vertex/generate__tools__04",
                "vertex/generate__tools_stream__02",
            ],
        ),
        (
            _NUMBER,
            ["finish"],
            [
                "gemini/generate__image__03",
                "gemini/generate__tool_result_stream__03",
                "vertex/generate__image__01",
            ],
        ),
        (f"{_NO_NAME}; {_NUMBER}", ["tool_calls", "finish"], ["gemini/generate__tools__03"]),
        (_PICTURES, ["usage"], ["cohere/chat2__image__01", "cohere/chat2__image__02"]),
    )
    for name in names
}
"""Exchange to (the fields that truly differ, why); a listed one that agrees fails."""

Differences = dict[str, tuple[Any, Any]]


def is_supported(exchange: Exchange) -> bool:
    """Tell whether a dialect that exists speaks this shape, and can ask for it."""
    if exchange.dialect not in DIALECTS:
        return False
    return exchange.operation is None or type(exchange.operation) in dialect_of(exchange).operations


def dialect_of(exchange: Exchange) -> Dialect:
    """Give the dialect as the exchange's provider speaks it, if it is one of the catalogue."""
    dialect = DIALECTS[exchange.dialect or ""]
    kind = KINDS.get(exchange.provider)
    spoken = () if kind is None else (kind.dialect, *kind.dialect_urls)
    return dialect.adapted(kind.quirks) if kind and dialect.name in spoken else dialect


def differences(exchange: Exchange) -> Differences:
    """Give by field what was read and what should have been; empty where all agrees."""
    if exchange.status != 200:
        classify = dialect_of(exchange).classify
        return _class_differs(
            exchange, classify(exchange.status, exchange.headers, exchange.body, now=NOW)
        )
    try:
        result = read_whole(exchange)
    except ProviderError as error:
        if is_failure(exchange):
            return _class_differs(exchange, error)
        return {"raised": (f"{type(error).__name__}: {error}", None)}
    if isinstance(result, OperationResult):
        return _result_differs(exchange, result)
    if is_failure(exchange):
        return {"error": (result, exchange.error)}
    return _completion_differs(exchange, result)


def is_failure(exchange: Exchange) -> bool:
    """Tell whether it is an error, by its status or inside a 200."""
    if exchange.status != 200 or exchange.error is not None:
        return True
    if exchange.operation is not None:
        return False
    return exchange.expect is None or bool(exchange.expect.get("stream_error"))


def read_whole(exchange: Exchange) -> Completion | OperationResult:
    """Read an answer in one piece.

    Raises:
        ProviderError: It is an error, or cannot be read.
    """
    dialect = dialect_of(exchange)
    if exchange.operation is not None:
        codec = dialect.operations[type(exchange.operation)]
        return codec.decode(exchange.body, exchange.operation)
    if not exchange.stream:
        return dialect.decode(exchange.body)
    decoder = dialect.decoder()
    decoder.feed(exchange.body)
    return decoder.close()


def _class_differs(exchange: Exchange, error: ProviderError) -> Differences:
    if exchange.error is None or isinstance(error, exchange.error):
        return {}
    return {"error": (repr(error), exchange.error)}


def _completion_differs(exchange: Exchange, completion: Completion) -> Differences:
    expect = exchange.expect or {}
    message = completion.message
    seen = {
        "text": message.text,
        "reasoning": message.reasoning,
        "tool_calls": [
            {"id": call.id, "name": call.name, "arguments": _arguments(call)}
            for call in message.tool_calls
        ],
        "finish": completion.raw_finish,
        "model": completion.model,
    }
    wanted = {
        "text": expect.get("text", ""),
        "reasoning": expect.get("reasoning_text") or expect.get("tool_plan", ""),
        "tool_calls": expect.get("tool_calls", []),
        "finish": expect.get("finish") or expect.get("block_reason"),
        "model": expect.get("model") or None,
    }
    wrong = {name: (seen[name], value) for name, value in wanted.items() if seen[name] != value}
    usage = _usage_differs(exchange, completion.usage)
    return wrong if usage is None else {**wrong, "usage": usage}


def _arguments(call: Any) -> Any:
    """Give a call's arguments the way the corpus writes those that are no object."""
    if call.is_valid:
        return call.arguments
    try:
        return json.loads(call.raw)
    except ValueError:
        return {"__raw__": call.raw}


def _usage_differs(exchange: Exchange, given: Usage | None) -> tuple[Any, Any] | None:
    wanted = _usage(exchange)
    if wanted is None:
        return None
    stated = (exchange.expect or {})["usage"]
    # The corpus leaves out what a provider calls by an unusual name.
    names = {"cached_tokens": "cached", "cache_write_tokens": "cache_write"}
    names["reasoning_tokens"] = "reasoning"
    unstated = [field for field, name in names.items() if name not in stated]
    same = {field: getattr(given or wanted, field) for field in unstated}
    wanted = attrs.evolve(wanted, **same)
    return None if given == wanted else (given, wanted)


def _usage(exchange: Exchange) -> Usage | None:
    """Give the usage that our meaning makes of the provider's raw numbers."""
    raw = (exchange.expect or {}).get("usage")
    if not raw:
        return None
    read, written = raw.get("input", 0), raw.get("output", 0)
    cached, cache_write = raw.get("cached", 0), raw.get("cache_write", 0)
    reasoning = raw.get("reasoning", 0)
    if exchange.dialect == "anthropic":
        read += cached + cache_write
    elif exchange.dialect == "gemini":
        written += reasoning
        # What the provider's own tools put into the prompt is only in the total.
        read = max(read, raw.get("total", 0) - written)
    elif "total" in raw and raw["total"] > read + written:
        # xAI, and Gemini behind this dialect: the total has reasoning that the output lacks.
        reasoning = reasoning or raw["total"] - read - written
        written = raw["total"] - read
    return Usage(read, written, cached, cache_write, reasoning)


def _result_differs(exchange: Exchange, result: OperationResult) -> Differences:
    if isinstance(result, Done):
        return _compare("status", result.status, "success")
    body: Any = json.loads(exchange.body)
    match result:
        case Embeddings():
            wrong = _vectors_differ(exchange, body, result)
        case TokenCount():
            stated = _first(body, "input_tokens", "totalTokens", "total_tokens")
            wrong = _compare("tokens", result.tokens, stated)
        case ModelList():
            wrong = _models_differ(body, result)
        case Moderation():
            flags = [bool(item["flagged"]) for item in body["results"]]
            wrong = _compare("flags", [verdict.flagged for verdict in result.verdicts], flags)
        case _:
            wrong = {"result": (result, "a known one")}
    return wrong


def _compare(name: str, seen: Any, wanted: Any) -> Differences:
    return {} if seen == wanted else {name: (seen, wanted)}


def _first(body: dict[str, Any], *names: str) -> Any:
    return next((body[name] for name in names if name in body), None)


def _models_differ(body: Any, result: ModelList) -> Differences:
    if "model_info" in body:
        windows = [n for name, n in body["model_info"].items() if name.endswith(".context_length")]
        return _compare("window", [info.context_window for info in result.models], windows)
    listed = _first(body, "data", "models")
    entries = [body] if listed is None else listed
    names = [str(_first(entry, "id", "name")).removeprefix("models/") for entry in entries]
    return _compare("models", [info.id.removeprefix("models/") for info in result.models], names)


def _vectors_differ(exchange: Exchange, body: Any, result: Embeddings) -> Differences:
    rows = _rows(body)
    wrong = _compare("vectors", len(result), len(rows))
    names = ("dimensions", "outputDimensionality", "output_dimension")
    if type(rows[0]) is list:
        wrong |= _compare("first", list(result[0]), list(map(float, as_list(rows[0]))))
        wrong |= _compare("dimensions", {len(v) for v in result}, {len(row) for row in rows})
    elif any(name in exchange.asked for name in names):
        wrong |= _compare("dimensions", result.dimensions, _first(exchange.asked, *names))
    stated = as_object(as_object(exchange.expect).get("usage")).get("input")
    if stated is not None:
        wrong |= _compare("tokens", result.usage and result.usage.input_tokens, stated)
    return wrong


def _rows(body: Any) -> list[Any]:
    """Find the vectors, wherever a provider puts them."""
    if "data" in body:
        return [entry["embedding"] for entry in body["data"]]
    rows: Any = [body["embedding"]] if "embedding" in body else body["embeddings"]
    rows = as_object(rows).get("float", rows)
    return [as_object(row).get("values", row) for row in rows]


def main() -> None:
    """Print how many exchanges hold, by provider and by interface."""
    tables: dict[str, dict[str, Counter[str]]] = {"provider": {}, "interface": {}}
    broken: list[str] = []
    for exchange in recordings():
        outcome = "not a supported shape"
        if is_supported(exchange):
            wrong = differences(exchange)
            pinned = set(wrong) == set(PINNED.get(exchange.name, ((), ""))[0])
            outcome = "broken" if not pinned else "pinned" if wrong else "held"
            if outcome == "broken":
                broken.append(f"{exchange.name}: {wrong}"[:400])
        for table, key in (("provider", exchange.provider), ("interface", exchange.api)):
            tables[table].setdefault(key, Counter())[outcome] += 1
    columns = ("held", "pinned", "broken", "not a supported shape")
    for title, rows in tables.items():
        print(f"{title:20}", *[f"{column:>8}" for column in columns])  # noqa: T201
        total: Counter[str] = Counter()
        for key, counts in sorted(rows.items()):
            total += counts
            print(f"{key:20}", *[f"{counts[column]:8}" for column in columns])  # noqa: T201
        print(f"{'all':20}", *[f"{total[column]:8}" for column in columns], "\n")  # noqa: T201
    print("\n".join(broken))  # noqa: T201


if __name__ == "__main__":
    main()

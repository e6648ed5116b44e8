"""What each dialect costs beside the JSON library on the same bytes: CPU alone, no network."""

import json
from collections.abc import Callable
from functools import partial

from tests.benchmarks.measure import Row, cpu_of, ratio
from trio_llm import (
    Completion,
    Message,
    Request,
    Text,
    TextDelta,
    Tool,
    ToolCall,
    ToolResult,
    Usage,
)
from trio_llm.wire import DIALECTS, Dialect

CHUNKS = 500
REPEATS = 200
CALL = ToolCall("call_00000001", "weather", {"city": "Oslo", "days": 3})
PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city"],
}
REQUEST = Request(
    messages=[
        Message("system", "You answer in few words."),
        *[
            turn
            for _ in range(4)
            for turn in (
                Message("user", "What will the weather be like in Oslo? " * 4),
                Message("assistant", [Text("I look it up."), CALL]),
                Message("tool", [ToolResult(CALL.id, "rain, 7 degrees", name=CALL.name)]),
                Message("assistant", "Rain, seven degrees. " * 8),
            )
        ],
        Message("user", "And tomorrow?"),
    ],
    max_tokens=500,
    temperature=0.2,
    tools=[Tool("weather", "Tells the weather of a city.", PARAMETERS)],
)
COMPLETION = Completion(
    Message("assistant", [Text("a few words of an answer " * 36), CALL]),
    "tool_calls",
    usage=Usage(900, 200),
)


def _times(call: Callable[[], object]) -> float:
    def repeated() -> None:
        for _ in range(REPEATS):
            call()

    return cpu_of(repeated) / REPEATS


def _payload(chunk: bytes) -> list[bytes]:
    """Give the JSON in one chunk, be it a server-sent event or a line."""
    lines = [line.removeprefix(b"data:").strip() for line in chunk.splitlines()]
    return [line for line in lines if line.startswith(b"{")]


def _chunk(dialect: Dialect) -> tuple[float, float]:
    """Measure one streamed word, decoded and merely parsed."""
    encoder = dialect.encoder("bench")
    start = encoder.start()
    chunks = [encoder.delta(TextDelta(f"word{number} ")) for number in range(CHUNKS)]
    end = encoder.finish(Completion(Message("assistant", "words"), "stop", usage=Usage(9, CHUNKS)))
    payloads = [payload for chunk in chunks for payload in _payload(chunk)]

    def ours() -> None:
        decoder = dialect.decoder()
        decoder.feed(start)
        for chunk in chunks:
            decoder.feed(chunk)
        decoder.feed(end)
        decoder.close()

    def bare() -> None:
        for payload in payloads:
            json.loads(payload)

    return cpu_of(ours) / CHUNKS, cpu_of(bare) / CHUNKS


def dialects() -> list[Row]:
    """Measure every dialect: a request, a reply, a chunk."""
    rows: list[Row] = []
    for name, dialect in DIALECTS.items():
        body = dialect.encode(REQUEST, model="bench", stream=False).body
        tree = json.loads(body)
        reply = dialect.encode_reply(COMPLETION)
        encoded = _times(partial(dialect.encode, REQUEST, model="bench", stream=False))
        written = _times(partial(json.dumps, tree))
        decoded = _times(partial(dialect.decode, reply))
        parsed = _times(partial(json.loads, reply))
        chunk, chunk_parsed = _chunk(dialect)
        rows.append(
            (
                name,
                f"{encoded:.0f}",
                ratio(encoded, written),
                f"{decoded:.0f}",
                ratio(decoded, parsed),
                f"{chunk:.1f}",
                ratio(chunk, chunk_parsed),
            )
        )
    return rows

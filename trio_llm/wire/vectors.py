"""Vectors, as providers write them, read with no trust in any of it."""

import base64
import binascii
import math
import struct
from collections.abc import Callable
from typing import Any, TypeAlias

from trio_llm.chat import EmbedRequest
from trio_llm.errors import MalformedResponseError
from trio_llm.wire.values import as_list

_LEAST_DOUBLES = 32
_LOWEST = (1 << 29) - 1

Unpack: TypeAlias = Callable[[bytes], tuple[float, ...]]
"""Reads a row of numbers; raises `struct.error` if its length is none."""


def floats(content: bytes) -> tuple[float, ...]:
    """Read a row of 32-bit numbers, lowest byte first.

    Raises:
        struct.error: Its length is none.
    """
    if _doubles(content):
        return struct.unpack(f"<{len(content) // 8}d", content)
    return struct.unpack(f"<{len(content) // 4}f", content)


def signed_bytes(content: bytes) -> tuple[float, ...]:
    """Read a row of signed bytes, as Perplexity writes them."""
    return tuple(map(float, struct.unpack(f"{len(content)}b", content)))


def read_vectors(
    items: list[Any], asked: EmbedRequest, unpack: Unpack = floats
) -> tuple[tuple[float, ...], ...]:
    """Read one vector for each text that was sent.

    Args:
        items: The vectors, in the order of the texts: lists of numbers or base64.
        asked: What was asked.
        unpack: What reads the bytes that base64 stands for.

    Raises:
        MalformedResponseError: There is not one for each text, they differ in length,
            or something in them is no number.
    """
    if len(items) != len(asked.texts):
        raise _malformed(f"there are {len(items)} vectors for {len(asked.texts)} texts")
    vectors = tuple([_vector(item, index, unpack) for index, item in enumerate(items)])
    lengths = {len(vector) for vector in vectors}
    if len(lengths) > 1:
        raise _malformed("the vectors differ in length")
    if asked.dimensions is not None and lengths != {asked.dimensions}:
        raise _malformed(
            f"the vectors have {lengths.pop()} dimensions, though {asked.dimensions} were asked for"
        )
    return vectors


def in_order(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give entries in the order of their ``index``; as they are where they have none.

    Raises:
        MalformedResponseError: Some have one and others not, or it is no numbering.
    """
    if all(item.get("index") is None for item in items):
        return items
    by_index = {number: item for item in items if type(number := item.get("index")) is int}
    if by_index.keys() != set(range(len(items))):
        raise _malformed("the vectors do not say for which text each is")
    return [by_index[number] for number in range(len(items))]


def _vector(value: Any, index: int, unpack: Unpack) -> tuple[float, ...]:
    numbers = _decoded(value, index, unpack) if type(value) is str else _listed(value, index)
    if not numbers:
        raise _malformed(f"vector {index} is empty")
    # A sum that is finite has only finite terms; one that is not may have overflowed.
    if not math.isfinite(sum(numbers)) and not all(map(math.isfinite, numbers)):
        raise _malformed(f"vector {index} holds something that is no finite number")
    return numbers


def _listed(value: Any, index: int) -> tuple[float, ...]:
    items = as_list(value)
    # llama.cpp wraps the one vector of a text in a list of its own.
    if len(items) == 1 and type(items[0]) is list:
        items = as_list(items[0])
    elif items and type(items[0]) is list:
        raise _malformed(
            f"vector {index} is one vector for each token; let the server pool them into one"
        )
    kinds = set(map(type, items))
    if kinds == {float}:
        return tuple(items)
    if not kinds <= {float, int}:
        raise _malformed(f"vector {index} holds something that is no number")
    try:
        return tuple(map(float, items))
    except OverflowError:
        raise _malformed(f"vector {index} holds something that is no finite number") from None


def _decoded(text: str, index: int, unpack: Unpack) -> tuple[float, ...]:
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _malformed(f"vector {index} is not base64") from None
    try:
        return unpack(content)
    except struct.error:
        raise _malformed(f"vector {index} is no row of 32-bit numbers") from None


def _doubles(content: bytes) -> bool:
    """Tell whether the numbers have 64 bits, as one recorded vLLM server wrote them.

    A 32-bit number that was widened leaves the lowest 29 bits empty; in a row of
    32-bit numbers that would be a zero in every other place.
    """
    if len(content) % 8 or len(content) < 8 * _LEAST_DOUBLES:
        return False
    if any(low & _LOWEST for low, _ in struct.iter_unpack("<2I", content[: 8 * _LEAST_DOUBLES])):
        return False
    words = list(struct.iter_unpack("<2I", content))
    empty = not any(low & _LOWEST for low, _ in words)
    return empty and sum(1 for _, high in words if high) > len(words) // 2


def _malformed(message: str) -> MalformedResponseError:
    return MalformedResponseError(message, phase="response")

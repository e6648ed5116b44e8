"""Finds JSON in what a model wrote: alone, in a code fence, or among words."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

_MOST_TRIES: Final = 32
_FENCED: Final = re.compile(r"```[a-zA-Z0-9]*[ \t]*\n(.*?)```", re.DOTALL)


def _refuse(name: str) -> Any:
    msg = f"{name} is no JSON"
    raise ValueError(msg)


# A raw line break in a string is no JSON, but plain enough.
_DECODER: Final = json.JSONDecoder(strict=False, parse_constant=_refuse)


def json_in(text: str) -> Iterator[Any]:
    """Give what may be the JSON in a text, the likeliest first.

    That is the whole text; then each code fence; then each object among words. The
    time is bounded: no more than 32 beginnings of an object are tried.
    """
    whole = text.strip()
    found, value = _decoded(whole)
    if found:
        yield value
        return
    for fenced in _FENCED.finditer(whole):
        found, value = _decoded(fenced[1].strip())
        if found:
            yield value
    start = whole.find("{")
    for _ in range(_MOST_TRIES):
        if start < 0:
            return
        try:
            value, end = _DECODER.raw_decode(whole, start)
        except (ValueError, RecursionError):
            end = start + 1
        else:
            yield value
        start = whole.find("{", end)


def _decoded(text: str) -> tuple[bool, Any]:
    try:
        return True, _DECODER.decode(text)
    except (ValueError, RecursionError):
        return False, None

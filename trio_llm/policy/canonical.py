"""One form for answers that say the same: of text, of numbers and of JSON."""

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any, Final, cast

_DEEPEST: Final = 64
"""How many JSON containers may stand in each other."""

_MOST_MARKS: Final = 30
"""How many combining marks in a row count; the limit of Unicode's Stream-Safe Text Format."""

_FENCE: Final = re.compile(r"(`{3,}+|~{3,}+)[ \t]*+([^`\s]*+)[^`]*+")
_JSON_LABELS: Final = frozenset({"", "json", "jsonc", "json5"})
_NO_WORDS: Final = re.compile(rf"[^\w\s]{{{_MOST_MARKS + 1},}}")
_TYPED: Final = str.maketrans(
    dict.fromkeys("\u2018\u2019\u02bc", "'")
    | dict.fromkeys("\u201c\u201d\u201e", '"')
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-")
)
"""Typographic quotes and dashes, and the keys of a keyboard in their place."""

_ENDINGS: Final = frozenset(" .,;:!?")
_OPENINGS: Final = frozenset(" ¿¡")
_DEEPEST_HEADING: Final = 6
_BULLETS: Final = frozenset("#*•")
_PAIRS: Final = frozenset(
    {'""', "''", "``", "**", "~~", "$$", "«»", "»«", "\u2039\u203a", "「」", "『』"}
)
_BRACKETS: Final = frozenset({"()", "[]"})

_NUMBER: Final = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([-+]?[0-9]{1,18}))?")


def normalised(text: str) -> str:
    """Write a text so that answers which differ only in dress become equal.

    In this order: format characters (Unicode's category Cf, such as a zero-width
    space) go, and so do the lines that open or close a code fence, though not what
    stands between them; the letters are folded (NFKC and full case folding, dashes and
    typographic quotes as on a keyboard, at most 30 combining marks in a row); white
    space becomes single spaces. Then the edges are peeled, as often as anything gives:
    spaces and ``. , ; : ! ?`` at the end, spaces and ``¿ ¡`` at the start, a heading's
    or a bullet's ``#``, ``*`` or ``•`` before a space, quotes and the marks of emphasis,
    of code and of TeX around the whole, and brackets around a single word, as in ``(B)`` or ``B)``.

    What may carry meaning stays: a minus sign, a currency, a per cent sign, the
    brackets of an interval, and the exclamation mark after a digit, which is a
    factorial. The result of a result is itself.
    """
    return tidy(plain(text))


def tidy(text: str) -> str:
    """Do the rest of `normalised` with a text that is `plain` already."""
    return _peeled(" ".join(text.split()))


def plain(text: str) -> str:
    """Give a text folded and without fences, but line by line as it was written."""
    if text.isascii():
        return _unfenced(text).lower()
    # Before the fences and before NFKC: what stood beside such a character joins up.
    visible = "".join([letter for letter in text if unicodedata.category(letter) != "Cf"])
    return _folded(_unfenced(visible))


def _unfenced(text: str) -> str:
    text = text.strip()
    if "\n" not in text or ("```" not in text and "~~~" not in text):
        return text
    return "\n".join(line for line in text.split("\n") if not _FENCE.fullmatch(line.strip()))


def _folded(text: str) -> str:
    """Fold as Unicode's definition D146 does, and compose the result."""
    text = unicodedata.normalize("NFD", _short_of_marks(text)).casefold()
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    # Some marks become several, so that the limit has to be kept again.
    return _short_of_marks(text).translate(_TYPED)


def _short_of_marks(text: str) -> str:
    # Normalising takes time that is quadratic in the length of a run of marks: seconds
    # for 50,000 of them.
    return _NO_WORDS.sub(_cut, text)


def _cut(found: re.Match[str]) -> str:
    kept: list[str] = []
    marks = 0
    for letter in found[0]:
        marks = marks + 1 if unicodedata.category(letter)[0] == "M" else 0
        if marks <= _MOST_MARKS:
            kept.append(letter)
    return "".join(kept)


def _peeled(text: str) -> str:
    start, end = 0, len(text)
    before = None
    while before != (start, end):
        before = start, end
        while end > start and text[end - 1] in _ENDINGS and not _is_factorial(text, start, end):
            end -= 1
        while start < end and text[start] in _OPENINGS:
            start += 1
        mark = start
        while mark < min(start + _DEEPEST_HEADING, end) and text[mark] in _BULLETS:
            mark += 1
        if start < mark < end and text[mark] == " ":
            start = mark + 1
        if end - start < 2:
            continue
        pair = text[start] + text[end - 1]
        if pair in _PAIRS or (pair in _BRACKETS and text[start + 1 : end - 1].isalnum()):
            start, end = start + 1, end - 1
        elif pair[1] in ")]" and text[start : end - 1].isalnum():
            end -= 1
    return text[start:end]


def _is_factorial(text: str, start: int, end: int) -> bool:
    return text[end - 1] == "!" and end - start > 1 and text[end - 2].isdigit()


def canonical_number(text: str) -> str:
    """Write a decimal number in the one form of its value, exactly, without rounding.

    ``1``, ``1.0`` and ``10e-1`` are all ``1``; from 22 places on, and below a
    millionth, the form has an exponent.

    Raises:
        ValueError: It is no such number, or its exponent is beyond all measure.
    """
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise ValueError("this is no number")
    sign, whole, fraction = found[1], found[2], found[3] or ""
    digits = (whole + fraction).lstrip("0")
    kept = digits.rstrip("0")
    if not kept:
        return "0"
    exponent = int(found[4] or 0) - len(fraction) + len(digits) - len(kept)
    point = len(kept) + exponent
    if exponent >= 0 and point <= 21:
        return f"{sign}{kept}{'0' * exponent}"
    if 0 < point <= 21:
        return f"{sign}{kept[:point]}.{kept[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{kept}"
    tail = f".{kept[1:]}" if len(kept) > 1 else ""
    return f"{sign}{kept[0]}{tail}e{point - 1}"


class _Number(str):
    """The canonical form of a number, which is not a string of JSON."""

    __slots__ = ()


def refuse_constant(name: str) -> Any:
    """Refuse the numbers that Python's reader knows and JSON does not.

    Raises:
        ValueError: Always.
    """
    msg = f"{name} is no JSON"
    raise ValueError(msg)


def _read_number(text: str) -> _Number:
    return _Number(canonical_number(text))


# A raw line break in a string is no JSON, but plain enough.
_DECODER: Final = json.JSONDecoder(
    strict=False, parse_int=_read_number, parse_float=_read_number, parse_constant=refuse_constant
)


def canonical_value(text: str) -> str | None:
    """Give the JSON value in an answer, in one form for equal values.

    The answer is the value as a whole, or holds exactly one code fence with a value in
    it, which is labelled as JSON or not at all. A value among words does not count:
    the ``{}`` in a sentence is not what the sentence says.

    Keys are sorted, numbers are written by their exact value (`canonical_number`), and
    what is not ASCII is escaped. Of equal keys the last counts. No value is what holds
    ``NaN`` or an infinity, or is nested more than 64 deep.

    Returns:
        JSON without white space, or ``None`` where there is no value.
    """
    whole = _canonical(text.strip().removeprefix("\ufeff"))
    if whole is not None or "\n" not in text:
        return whole
    values = [value for block in fenced_json(text) if (value := _canonical(block)) is not None]
    return values[0] if len(values) == 1 else None


def fenced_json(text: str) -> Iterator[str]:
    """Give what stands in each fence that may hold JSON; the last need not be closed."""
    opening = label = ""
    block: list[str] = []
    for line in text.split("\n"):
        fence = _FENCE.fullmatch(line.strip())
        if not opening and fence is not None:
            opening, label = fence[1], fence[2].lower()
            block = []
        elif fence is not None and fence[1].startswith(opening) and not fence[2]:
            if label in _JSON_LABELS:
                yield "\n".join(block).strip()
            opening = ""
        else:
            block.append(line)
    if opening and label in _JSON_LABELS:
        yield "\n".join(block).strip()


def _canonical(text: str) -> str | None:
    try:
        return _written(_DECODER.decode(text), _DEEPEST)
    except (ValueError, RecursionError):
        return None


def _written(value: Any, deepest: int) -> str:
    if isinstance(value, _Number):
        return value
    if isinstance(value, (list, dict)) and not deepest:
        raise ValueError("nested too deeply")
    if isinstance(value, list):
        items = cast("Sequence[Any]", value)
        return f"[{','.join([_written(item, deepest - 1) for item in items])}]"
    if isinstance(value, dict):
        table = cast("dict[str, Any]", value)
        fields = [f"{json.dumps(key)}:{_written(table[key], deepest - 1)}" for key in sorted(table)]
        return f"{{{','.join(fields)}}}"
    return json.dumps(value)

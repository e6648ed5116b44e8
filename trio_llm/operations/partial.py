"""JSON that is not finished yet: the value of what has arrived so far.

Whatever the rest may be, what is shown is a part of the whole: strings are
prefixes, arrays lack their last items and objects their last fields; numbers,
``true``, ``false`` and ``null`` are shown once they have ended.
"""

import json
import re
from enum import Enum, auto
from typing import Any, Final, cast

import attrs

DEEPEST: Final = 256
"""How many containers may stand in each other."""

_RUN: Final = re.compile(r'[^"\\]+')
_WORD: Final = re.compile(r'[^\s,:"\[\]{}]+')
_BLANK: Final = re.compile(r"[ \t\n\r]+")
_ESCAPES: Final = {
    '"': '"',
    "\\": "\\",
    "/": "/",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
}
_HEX: Final = frozenset("0123456789abcdefABCDEF")


class _State(Enum):
    SEEK = auto()
    VALUE = auto()
    FIRST_ITEM = auto()
    FIRST_KEY = auto()
    KEY = auto()
    COLON = auto()
    STRING = auto()
    ESCAPE = auto()
    WORD = auto()
    AFTER = auto()
    END = auto()


class _Malformed(Exception):  # noqa: N818 - never leaves this file
    pass


@attrs.define(eq=False)
class PartialJson:
    """Takes the text of one JSON object or array, piece by piece.

    Text before it is skipped (words, a code fence), and so is a beginning that turns
    out to be none, such as ``{name}`` in a sentence. Where a value that has begun is
    broken, it stays as it was. The time is linear in the text, apart from that of
    reading `value`, which is linear in the string that is being written.

    Args:
        opening: What the value may begin with.
    """

    opening: str = "{["
    _begins: "re.Pattern[str]" = attrs.field(
        default=attrs.Factory(lambda self: re.compile(f"[{re.escape(self.opening)}]"), True),
        init=False,
    )
    _state: _State = attrs.field(default=_State.SEEK, init=False)
    _root: Any = attrs.field(default=None, init=False)
    _stack: list[Any] = attrs.field(factory=list[Any], init=False)
    _keys: list[str] = attrs.field(factory=list[str], init=False)
    _pieces: list[str] = attrs.field(factory=list[str], init=False)
    _escape: str = attrs.field(default="", init=False)
    _high: str = attrs.field(default="", init=False)
    _is_key: bool = attrs.field(default=False, init=False)
    _changed: bool = attrs.field(default=False, init=False)

    @property
    def value(self) -> Any:
        """What has arrived; ``None`` before anything has.

        It is the same object every time, and grows: copy what is to be kept.
        """
        self._show_open_string()
        return self._root

    @property
    def finished(self) -> bool:
        """Whether nothing more is expected: the value is whole, or broken."""
        return self._state is _State.END

    def feed(self, text: str) -> bool:
        """Take the next piece; tell whether `value` has changed."""
        self._changed = False
        position = 0
        while position < len(text) and self._state is not _State.END:
            try:
                position = self._step(text, position)
            except _Malformed:
                position += 1
                self._give_up()
        return self._changed

    def _show_open_string(self) -> None:
        if self._state in (_State.STRING, _State.ESCAPE) and not self._is_key:
            self._pieces = ["".join(self._pieces)]
            self._show(self._pieces[0])

    def _give_up(self) -> None:
        self._show_open_string()
        self._stack.clear()
        self._keys.clear()
        self._pieces.clear()
        self._escape = self._high = ""
        if self._root:
            self._state = _State.END
        else:
            self._root = None
            self._state = _State.SEEK

    def _step(self, text: str, position: int) -> int:
        """Take one token, or as much of it as there is; give where the next begins."""
        state = self._state
        if state is _State.STRING:
            return self._string(text, position)
        if state is _State.ESCAPE:
            return self._escaped(text[position], position)
        if state is _State.WORD:
            return self._word(text, position)
        if state is _State.SEEK:
            return self._seek(text, position)
        blank = _BLANK.match(text, position)
        if blank is not None:
            return blank.end()
        self._structure(text[position])
        # A word begins with its first letter, which it still has to take.
        return position if self._state is _State.WORD else position + 1

    def _seek(self, text: str, position: int) -> int:
        start = self._begins.search(text, position)
        if start is None:
            return len(text)
        self._open(start[0])
        return start.end()

    def _structure(self, letter: str) -> None:
        """Take one letter outside of strings and words."""
        state = self._state
        if letter in "]}" and state in (_State.AFTER, _State.FIRST_ITEM, _State.FIRST_KEY):
            self._close(letter)
        elif state is _State.AFTER:
            if letter != ",":
                raise _Malformed
            self._state = _State.KEY if isinstance(self._stack[-1], dict) else _State.VALUE
        elif state is _State.COLON:
            if letter != ":":
                raise _Malformed
            self._state = _State.VALUE
        elif state in (_State.FIRST_KEY, _State.KEY):
            if letter != '"':
                raise _Malformed
            self._state, self._is_key = _State.STRING, True
        elif letter == '"':
            self._state, self._is_key = _State.STRING, False
            self._put("")
        elif letter in "{[":
            self._open(letter)
        elif letter in "]},:":
            raise _Malformed
        else:
            self._state = _State.WORD

    def _open(self, letter: str) -> None:
        if len(self._stack) >= DEEPEST:
            raise _Malformed
        container: Any = {} if letter == "{" else []
        if self._stack:
            self._put(container)
        else:
            self._root = container
            self._changed = True
        self._stack.append(container)
        self._keys.append("")
        self._state = _State.FIRST_KEY if letter == "{" else _State.FIRST_ITEM

    def _close(self, letter: str) -> None:
        if isinstance(self._stack[-1], dict) != (letter == "}"):
            raise _Malformed
        self._stack.pop()
        self._keys.pop()
        self._state = _State.AFTER if self._stack else _State.END

    def _put(self, value: Any) -> None:
        """Add a value to the innermost container."""
        container = self._stack[-1]
        if isinstance(container, dict):
            container[self._keys[-1]] = value
        else:
            cast("list[Any]", container).append(value)
        self._changed = True

    def _show(self, text: str) -> None:
        """Put a longer string in the place of the one that `_put` added last."""
        container = self._stack[-1]
        container[self._keys[-1] if isinstance(container, dict) else -1] = text

    def _string(self, text: str, position: int) -> int:
        run = _RUN.match(text, position)
        if run is not None:
            self._write(run[0])
            return run.end()
        if text[position] == "\\":
            self._state = _State.ESCAPE
            return position + 1
        self._write("")
        whole = "".join(self._pieces)
        self._pieces.clear()
        if self._is_key:
            self._keys[-1] = whole
            self._state = _State.COLON
        else:
            self._show(whole)
            self._state = _State.AFTER
        return position + 1

    def _escaped(self, letter: str, position: int) -> int:
        """Take the next letter after a backslash."""
        if not self._escape and letter != "u":
            if letter not in _ESCAPES:
                raise _Malformed
            self._write(_ESCAPES[letter])
            self._state = _State.STRING
            return position + 1
        if self._escape and letter not in _HEX:
            raise _Malformed
        self._escape += letter
        if len(self._escape) == 5:
            self._code_unit(chr(int(self._escape[1:], 16)))
            self._escape = ""
            self._state = _State.STRING
        return position + 1

    def _code_unit(self, unit: str) -> None:
        """Take one unit of UTF-16; the first half of a pair waits for the second."""
        if self._high and "\udc00" <= unit <= "\udfff":
            pair = 0x10000 + ((ord(self._high) - 0xD800) << 10) + (ord(unit) - 0xDC00)
            self._high = ""
            self._write(chr(pair))
        elif "\ud800" <= unit <= "\udbff":
            self._write("")
            self._high = unit
        else:
            self._write(unit)

    def _write(self, text: str) -> None:
        """Add text to the string; a first half that waits stays alone."""
        text = self._high + text
        self._high = ""
        if text:
            self._pieces.append(text)
            self._changed = self._changed or not self._is_key

    def _word(self, text: str, position: int) -> int:
        """Take a number, ``true``, ``false`` or ``null``, once it has ended."""
        word = _WORD.match(text, position)
        if word is not None:
            self._pieces.append(word[0])
            return word.end()
        whole = "".join(self._pieces)
        self._pieces.clear()
        try:
            value = json.loads(whole, parse_constant=_refuse)
        except ValueError:
            raise _Malformed from None
        self._put(value)
        self._state = _State.AFTER
        return position


def _refuse(_name: str) -> Any:
    raise ValueError("JSON has no such number")

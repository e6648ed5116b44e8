"""Reasoning details, OpenRouter's list of what a model thought, from its fragments."""

from typing import Any

from trio_llm.wire.values import as_object, as_text

_GROWING = ("text", "summary", "data")
"""The fields that arrive in pieces."""


class DetailsDraft:
    """The details so far; fragments belong together by ``index`` and ``type``."""

    def __init__(self) -> None:
        self._details: list[tuple[dict[str, Any], dict[str, list[str]]]] = []

    def add(self, fragments: list[Any]) -> None:
        """Take the fragments of one delta."""
        for item in fragments:
            fragment = as_object(item)
            if not fragment:
                continue
            if not self._details or not _same(self._details[-1][0], fragment):
                self._details.append(({}, {}))
            fields, pieces = self._details[-1]
            for name, value in fragment.items():
                if name in _GROWING and type(value) is str:
                    pieces.setdefault(name, []).append(as_text(value))
                elif value is not None or name not in fields:
                    fields[name] = value

    def finish(self) -> list[dict[str, Any]]:
        """Give the details whole."""
        return [
            fields | {name: "".join(texts) for name, texts in pieces.items()}
            for fields, pieces in self._details
        ]


def _same(fields: dict[str, Any], fragment: dict[str, Any]) -> bool:
    return all(fields.get(name) == fragment.get(name) for name in ("index", "type"))

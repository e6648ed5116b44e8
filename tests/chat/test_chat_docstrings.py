"""Docstrings in Google's style, taken apart."""

import pytest

from trio_llm.chat.typed import Docstring, read_docstring


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, Docstring()),
        ("", Docstring()),
        ("Only a purpose.", Docstring("Only a purpose.")),
        ("A purpose.\n\n    And more.\n", Docstring("A purpose.\n\nAnd more.")),
        (
            "P.\n\n Args:\n  a: One.\n  b (int): Two\n   lines.\n  **c: 3: c.\n\n Raises:\n  d: N.",
            Docstring("P.", {"a": "One.", "b": "Two lines.", "c": "3: c."}),
        ),
        ("P.\n\nAttributes:\n    a:\n        Below.\n", Docstring("P.", {"a": "Below."})),
        ("Args:\n    no colon here\n    a: One.\n", Docstring("", {"a": "One."})),
        ("Args:\n", Docstring()),
    ],
)
def test_purpose_and_names_are_found(text: str | None, said: Docstring) -> None:
    """The purpose is everything before the first section; each name gets one line."""
    assert read_docstring(text) == said

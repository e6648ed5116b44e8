"""The list that every check adds to, so that one error names everything."""

from collections.abc import Iterable
from typing import Any, TypeVar, cast

import attrs

from trio_llm.config.rules import default_of, key_of, under
from trio_llm.errors import ConfigError

Record = TypeVar("Record", bound=attrs.AttrsInstance)


def _on_one_line(text: str) -> str:
    """Escape what cannot be printed: names and messages of other libraries are in it."""
    return "".join([letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in text])


@attrs.define
class Faults:
    """What is wrong with a configuration, in the order in which it was found."""

    lines: list[str] = attrs.field(factory=list[str], init=False)
    places: set[str] = attrs.field(factory=set[str], init=False)

    def add(self, path: str, problem: str) -> None:
        """Note a fault: its place, a sentence, and the remedy after a semicolon."""
        self.places.add(path)
        self.lines.append(_on_one_line(f"{path}: {problem}" if path else problem))

    def extend(self, faults: Iterable[tuple[str, str]]) -> None:
        """Note several faults."""
        for path, problem in faults:
            self.add(path, problem)

    def touch(self, path: str) -> bool:
        """Whether something is wrong at a place or inside of it."""
        inside = (f"{path}.", f"{path}[")
        return any(place == path or place.startswith(inside) for place in self.places)

    def mended(self, settings: Record, path: str) -> Record:
        """Give a record with defaults for the settings that are at fault.

        What follows can then rely on the types of its settings, and finds only
        faults that are not consequences of those.
        """
        changes = {
            field.name: default_of(field)
            for field in attrs.fields(type(settings))
            if field.default is not attrs.NOTHING and self.touch(under(path, key_of(field)))
        }
        return (
            cast("Record", attrs.evolve(cast("Any", settings), **changes)) if changes else settings
        )

    def raise_if_any(self, source: str) -> None:
        """Raise them all as one error.

        Raises:
            ConfigError: There are any.
        """
        if self.lines:
            raise ConfigError(self.lines, source)

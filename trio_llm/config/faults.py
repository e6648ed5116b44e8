"""The list that every check adds to, so that one error names everything."""

from collections.abc import Iterable

import attrs

from trio_llm.errors import ConfigError


@attrs.define
class Faults:
    """What is wrong with a configuration, in the order in which it was found."""

    lines: list[str] = attrs.field(factory=list[str], init=False)
    places: set[str] = attrs.field(factory=set[str], init=False)

    def add(self, path: str, problem: str) -> None:
        """Note a fault: its place, a sentence, and the remedy after a semicolon."""
        self.places.add(path)
        self.lines.append(f"{path}: {problem}" if path else problem)

    def extend(self, faults: Iterable[tuple[str, str]]) -> None:
        """Note several faults."""
        for path, problem in faults:
            self.add(path, problem)

    def raise_if_any(self, source: str) -> None:
        """Raise them all as one error.

        Raises:
            ConfigError: There are any.
        """
        if self.lines:
            raise ConfigError(self.lines, source)

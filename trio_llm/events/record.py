"""The root of all records."""

import attrs


@attrs.frozen
class Event:
    """The root of all records."""

    time: float
    call: int | None
    path: tuple[str, ...]

    @property
    def actor(self) -> str:
        """The name of the actor that it is about."""
        return self.path[-1] if self.path else ""

    @property
    def kind(self) -> str:
        """The record's class name, for logs."""
        return type(self).__name__

"""The shape that an answer is asked to have."""

import re
from collections.abc import Mapping
from typing import Any, Final

import attrs

from trio_llm.chat.typed import is_record, schema_of

_NOT_IN_NAME: Final = re.compile(r"[^a-zA-Z0-9_-]")


@attrs.frozen
class OutputSchema:
    """A JSON schema that the text of the answer must fit.

    How it is asked for (by the provider's own means, by a forced tool, or in words)
    is decided where the provider is known; the answer's text is JSON either way.

    Args:
        name: A name for the shape, letters, digits, ``_`` and ``-``.
        schema: A JSON schema, most often of an object.
        strict: Ask the provider to hold the model to the schema, where it can.
        description: What the shape is, for the model.
    """

    name: str
    schema: Mapping[str, Any]
    strict: bool = True
    description: str = ""

    @classmethod
    def of(cls, hint: Any, *, name: str | None = None) -> "OutputSchema":
        """Ask for a value of a Python type.

        The strict form of the schema is taken where the type has one. What is no
        object stands in an object with the one field ``value``, since that is what
        providers take.

        Args:
            hint: A type that `trio_llm.chat.typed.schema_of` can express.
            name: In place of the class's name.

        Raises:
            TypeError: A part of it cannot be expressed; the message names the place.
        """
        strict = True
        try:
            schema = schema_of(hint, strict=True)
        except TypeError:
            strict = False
            schema = schema_of(hint)
        description = schema.pop("description", "")
        if schema.get("type") != "object":
            definitions = {"$defs": schema.pop("$defs")} if "$defs" in schema else {}
            schema = {
                "type": "object",
                "properties": {"value": schema},
                "required": ["value"],
                "additionalProperties": False,
                **definitions,
            }
        title = name or (hint.__name__ if is_record(hint) else "answer")
        return cls(_NOT_IN_NAME.sub("_", title)[:64], schema, strict, description)

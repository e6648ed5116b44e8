"""The shape that an answer is asked to have."""

from collections.abc import Mapping
from typing import Any

import attrs


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

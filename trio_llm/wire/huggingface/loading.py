"""How long a model takes to load, as the inference service says it."""

import math

from trio_llm.wire.values import as_object, load


def seconds_to_load(body: bytes) -> float | None:
    """Give ``estimated_time`` of an error body, in seconds; ``None`` where it says none."""
    try:
        value = as_object(load(body.decode("utf-8", "replace"))).get("estimated_time")
        if type(value) is not int and type(value) is not float:
            return None
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None

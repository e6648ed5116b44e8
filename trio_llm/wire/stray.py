"""What to say when a response that should be a stream is none."""

from trio_llm.errors import MalformedResponseError, ProviderError
from trio_llm.wire.classify import classify_frame
from trio_llm.wire.fault import fault_of
from trio_llm.wire.values import as_object, load, looks_like_html


def what_came_instead(stray: bytes) -> ProviderError:
    """Give the error for a stream without a single event of its dialect.

    Args:
        stray: What came that was no event; an error body, for some providers.
    """
    if looks_like_html(stray):
        return MalformedResponseError("the stream is an HTML page", phase="stream")
    try:
        value = load(stray.decode("utf-8", "replace"))
    except ValueError:
        what = "no events" if stray else "nothing"
        return MalformedResponseError(f"the stream holds {what}", phase="stream")
    # An `error` may hold no sentence; where the field is missing, one is needed.
    if as_object(value).get("error") or (type(value) in (dict, list) and fault_of(value).texts):
        return classify_frame(value, phase="stream")
    return MalformedResponseError("the stream is one JSON value", phase="stream")

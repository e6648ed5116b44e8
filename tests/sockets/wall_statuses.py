"""The wall of faults: refusals by their status, and content that is filtered."""

from tests.sockets.wall_case import ALL, Case, Gets, Met
from trio_llm import (
    AuthenticationError,
    ContentFilterError,
    ContextLengthError,
    InvalidRequestError,
    ModelNotFoundError,
    OverloadedError,
    PermissionDeniedError,
    ProviderError,
    ProviderTimeoutError,
    ServerError,
)
from trio_llm.testing.upstream import Behaviour, Fault

# Ollama's form has no word for it.
_WITH_FILTER = tuple(name for name in ALL if name != "ollama")


def _failing(status: int, error: type[ProviderError]) -> Case:
    """Make the case of a status by which a server blames itself."""
    return Case(
        name=str(status),
        fault=str(status),
        script=Behaviour(status=status, message="something broke"),
        plain=Met(error, status=status),
        charged=True,
    )


def _refusing(name: str, fault: str, script: Behaviour, error: type[ProviderError]) -> Case:
    """Make the case of a refusal that no other member could mend."""
    plain = Met(error, status=script.status)
    return Case(name=name, fault=fault, script=script, plain=plain, gets=Gets.ERROR)


STATUSES = (
    _failing(500, ServerError),
    _failing(502, ServerError),
    Case(
        name="502-html",
        fault="502 with a page of HTML",
        script=Behaviour(status=502, fault=Fault.HTML),
        plain=Met(ServerError, status=502),
        charged=True,
    ),
    _failing(503, OverloadedError),
    _failing(529, OverloadedError),
    _failing(504, ProviderTimeoutError),
    Case(
        name="bad-key",
        fault="401, a bad key",
        script=Behaviour(status=401, message="Incorrect API key provided."),
        plain=Met(AuthenticationError, status=401),
        charged=True,
        rest=300.0,
        asked=False,
        breaker="authentication_dead",
    ),
    Case(
        name="forbidden",
        fault="403, the key may not do this",
        script=Behaviour(status=403, message="not for this project"),
        plain=Met(PermissionDeniedError, status=403),
        charged=True,
    ),
    Case(
        name="no-model",
        fault="404, no such model",
        script=Behaviour(status=404, message="The model `bad` does not exist."),
        plain=Met(ModelNotFoundError, status=404),
    ),
    _refusing(
        "bad-request",
        "400, a bad request",
        Behaviour(status=400, message="temperature must be a number"),
        InvalidRequestError,
    ),
    _refusing(
        "too-long",
        "400, the context is too long",
        Behaviour(status=400, message="This model's maximum context length is 8192 tokens."),
        ContextLengthError,
    ),
    _refusing(
        "filtered",
        "400, the content is filtered",
        Behaviour(status=400, message="The request violates our usage policy."),
        ContentFilterError,
    ),
    Case(
        name="filtered-empty",
        fault="200 without text, the content is filtered",
        script=Behaviour(chunks=(), finish_reason="content_filter"),
        plain=Met(ContentFilterError),
        gets=Gets.ERROR,
        dialects=_WITH_FILTER,
    ),
    Case(
        name="filtered-late",
        fault="200 with text, then the content is filtered",
        script=Behaviour(finish_reason="content_filter"),
        plain=Met(None),
        gets=Gets.ANSWER,
        dialects=_WITH_FILTER,
    ),
)

"""Every recorded error, of whatever provider and interface, has the class of its label."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.wire.wire_recordings import Exchange, corpus_path, recordings
from trio_llm.chat import Completion
from trio_llm.errors import ProviderError
from trio_llm.wire import DIALECTS, Dialect
from trio_llm.wire.classify import classify

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(
        not corpus_path().is_dir(), reason="the recorded exchanges are not beside the checkout"
    ),
]

NOW = 1_795_000_000.0

IDENTIFIED = {
    "anthropic/messages__error_rate_limit__02": "req_01T5fCVnYdf9X5ZW6KayReBK",
    "azure/chat__error_rate_limit__01": "d3be1dcd-5e15-488e-b48f-a3066967d205",
    "bedrock/converse__error_rate_limit__01": "e686a393-fd1a-4f8c-9ec0-3654e3d5ece3",
    "cohere/chat2__error_context_length__01": "9f024ce5e99f5467ebce17e9762528f3",
    "cohere/chat2__error_authentication__01": "2d4609a6-d1f9-4cf4-8d09-af865409bdc2",
    "openai/chat__error_authentication__02": "req_4ce6e6e8944c42f1990e59e80597f2ea",
}
"""A request's identifier by exchange, one for each place where a provider puts it."""

CODED = {
    "anthropic/messages__error_rate_limit__02": "rate_limit_error",
    "azure/chat__error_model_not_found__01": "DeploymentNotFound",
    "bedrock/converse__error_rate_limit__01": "ThrottlingException",
    "cohere/chat2__error_context_length__01": "TOO_MANY_TOKENS",
    "gemini/generate__error_rate_limit__05": "RESOURCE_EXHAUSTED",
    "mistral/embeddings__error_model_not_found__01": "1500",
    "openai/chat__error_quota__01": "project_spend_limit_exceeded",
    "xai/chat__error_quota__01": "Some resource has been exhausted",
}
"""A provider's own code by exchange."""

WAITS = {
    "anthropic/messages__error_rate_limit__02": 0.0,
    "azure/chat__error_rate_limit__01": 1.0,
    "groq/chat__error_rate_limit__01": 50.597142857,
    "openai/chat__error_rate_limit__02": 3.89,
    "openai/responses__error_rate_limit__01": 18.642,
}
"""Seconds to wait by exchange; no other recorded error states any."""

ALL = recordings()
REFUSED = [exchange for exchange in ALL if exchange.status >= 400]
INSIDE = [exchange for exchange in ALL if exchange.status < 400 and exchange.error]


def named(cases: Sequence[Exchange]) -> list[Any]:
    """Give the cases with their names as test ids."""
    return [pytest.param(case, id=case.name) for case in cases]


def error_of(exchange: Exchange) -> ProviderError:
    """Classify an exchange by its status, headers and body alone."""
    return classify(exchange.status, exchange.headers, exchange.body, now=NOW)


def read(dialect: Dialect, exchange: Exchange) -> Completion:
    """Read an exchange in one piece."""
    if not exchange.stream:
        return dialect.decode(exchange.body)
    decoder = dialect.decoder()
    decoder.feed(exchange.body)
    return decoder.close()


@pytest.mark.parametrize("exchange", named(REFUSED))
def test_a_recorded_error_has_the_class_of_its_label(exchange: Exchange) -> None:
    """Thirty providers' errors are classed by one table, whose dialect is spoken or not."""
    error = error_of(exchange)
    assert exchange.error is not None, "every recorded error has a label"
    assert isinstance(error, exchange.error), repr(error)
    assert error.status == exchange.status
    assert 0 < len(error.message) <= 500
    assert error.message.isprintable()
    assert error.retry_after == WAITS.get(exchange.name)


@pytest.mark.parametrize(
    "exchange", named([exchange for exchange in INSIDE if exchange.dialect in DIALECTS])
)
def test_a_recorded_error_inside_a_200_has_the_class_of_its_label(exchange: Exchange) -> None:
    """An overload in a stream and a reply of no known shape are errors of their classes."""
    dialect = DIALECTS[exchange.dialect or ""]
    assert exchange.error is not None
    with pytest.raises(exchange.error):
        read(dialect, exchange)


@pytest.mark.parametrize("name", IDENTIFIED)
def test_a_recorded_error_keeps_the_identifier_of_its_request(name: str) -> None:
    """Wherever a provider puts it, header or body, its support can be told it."""
    assert error_of(by_name(name)).request_id == IDENTIFIED[name]


@pytest.mark.parametrize("name", CODED)
def test_a_recorded_error_keeps_the_code_of_the_provider(name: str) -> None:
    """The code is the provider's word, from the body or, for Bedrock, from a header."""
    assert error_of(by_name(name)).code == CODED[name]


def by_name(name: str) -> Exchange:
    """Find an exchange."""
    return next(exchange for exchange in ALL if exchange.name == name)


def test_the_recordings_are_as_many_as_were_counted() -> None:
    """A recording that is gone or new shows here, and the lists name recorded ones only."""
    assert (len(REFUSED), len(INSIDE)) == (165, 3)
    listed = {*IDENTIFIED, *CODED, *WAITS}
    assert listed <= {exchange.name for exchange in REFUSED}

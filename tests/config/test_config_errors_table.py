"""A provider's own rows of the table of errors, as they are configured."""

from pathlib import Path
from typing import Any

import attrs
import pytest

from trio_llm.config import Config, Provider, check, load_config
from trio_llm.errors import ConfigError, ContextLengthError, RateLimitError
from trio_llm.policy import Blame
from trio_llm.policy.blame import CONFIGURABLE, row_of


def _table(**rows: Any) -> dict[str, Any]:
    return {"providers": {"p": {"kind": "simulated", "errors": rows}}}


def test_a_row_says_only_what_differs() -> None:
    """What it leaves out is as in the general table, and other rows are not its own."""
    config = load_config(_table(ContextLengthError={"falls_through": True}), {})
    assert check(config, {}).providers["p"].blames == {
        ContextLengthError: attrs.evolve(row_of("ContextLengthError"), falls_through=True)
    }


def test_in_code_a_row_may_be_a_blame() -> None:
    """A `Blame` and a table with all four words are the same."""
    blame = Blame(charges=True, cools=False, falls_through=False, retries=False)
    words = Provider("simulated", errors={"RateLimitError": attrs.asdict(blame)})
    provider = Provider("simulated", errors={"RateLimitError": blame})
    assert provider == words
    assert check(Config({"p": provider}), {}).providers["p"].blames == {RateLimitError: blame}


@pytest.mark.parametrize("name", list(CONFIGURABLE))
def test_every_class_of_the_table_can_be_configured(name: str) -> None:
    """Each of the four words of each row can be turned over."""
    row = attrs.asdict(row_of(name))
    for word, value in row.items():
        config = load_config(_table(**{name: {word: not value}}), {})
        (blame,) = check(config, {}).providers["p"].blames.values()
        assert attrs.asdict(blame) == row | {word: not value}


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        (
            {"ContextLenghtError": {"falls_through": True}},
            (
                'providers.p.errors.ContextLenghtError: no error class "ContextLenghtError"; did '
                'you mean "ContextLengthError"?'
            ),
        ),
        (
            {"RateLimitError": {"charge": True}},
            'providers.p.errors.RateLimitError.charge: unknown key; did you mean "charges"?',
        ),
        (
            {"RateLimitError": {"charges": 1}},
            "providers.p.errors.RateLimitError.charges: expected true or false, found an integer",
        ),
        (
            {"RateLimitError": True},
            "providers.p.errors.RateLimitError: expected a table (in code, Blame), found a boolean",
        ),
    ],
)
def test_what_is_wrong_with_a_row_is_a_fault(rows: dict[str, Any], fault: str) -> None:
    """It names the row, the word and the remedy."""
    with pytest.raises(ConfigError) as caught:
        load_config(_table(**rows), {})
    assert caught.value.faults == (fault,)


@pytest.mark.parametrize("name", ["ProviderUnavailableError", "StaleConnectionError", "LLMError"])
def test_a_class_that_nothing_follows_from_cannot_be_configured(name: str) -> None:
    """Errors without an attempt, or of a connection that was sent again, have no row."""
    with pytest.raises(ConfigError, match=f'no error class "{name}"'):
        load_config(_table(**{name: {"charges": True}}), {})


def test_a_table_of_another_type_is_a_fault() -> None:
    """A list in its place is named as one."""
    with pytest.raises(ConfigError) as caught:
        load_config({"providers": {"p": {"kind": "simulated", "errors": ["x"]}}}, {})
    assert caught.value.faults == (
        "providers.p.errors: expected a table of error classes, found a list",
    )


def test_it_survives_saving(tmp_path: Path) -> None:
    """What is saved loads back equal, also what was a `Blame`."""
    blame = Blame(charges=False, cools=False, falls_through=True, retries=True)
    config = Config(
        {
            "p": Provider(
                "simulated",
                errors={"ServerError": blame, "ContextLengthError": {"falls_through": True}},
            )
        }
    )
    config.save(tmp_path / "c.toml")
    assert load_config(tmp_path / "c.toml", {}) == config

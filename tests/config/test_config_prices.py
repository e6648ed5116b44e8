"""Prices in a configuration: by model, from a day on, above a length of the input."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trio_llm.chat import Price, PriceTier
from trio_llm.config import Config, PriceSettings, Provider, check, load_config
from trio_llm.errors import ConfigError
from trio_llm.ledger import DatedPrice, PriceTable

TODAY = date(2026, 11, 20)
FILE = """
[providers.p]
kind = "openai_compatible"
base_url = "http://host/v1"
model = "mini"
price = { input = 0.15, output = 0.6, reasoning = "0.123456789012345678901", request = 0.005 }

[providers.p.prices]
small = { input = 0.1, output = 0.2, cached_input = 0.05 }

[[providers.p.prices."large*"]]
input = 3
output = 15
cache_write = 3.75

[[providers.p.prices."large*"]]
above = 200_000
input = 6
output = 22.5

[[providers.p.prices."large*"]]
since = 2027-01-01
input = 2
"""
LARGE = Price(
    Decimal(3),
    Decimal(15),
    None,
    Decimal("3.75"),
    "configuration",
    tiers=(PriceTier(200_000, Decimal(6), Decimal("22.5"), None, Decimal("3.75")),),
)


def provider(**more: Any) -> dict[str, Any]:
    """Give a configuration of one provider with further settings."""
    return {"providers": {"p": {"kind": "simulated", **more}}}


def table_of(**prices: Any) -> PriceTable:
    """Give the table that becomes of ``prices``."""
    return check(load_config(provider(prices=prices), {}), {}).providers["p"].prices


def faults_of(**settings: Any) -> tuple[str, ...]:
    """Give the faults of a provider."""
    with pytest.raises(ConfigError) as caught:
        load_config(provider(**settings), {})
    return caught.value.faults


def test_a_file_says_prices_by_model_date_and_length(tmp_path: Path) -> None:
    """What is written is what holds, to the last digit."""
    path = tmp_path / "llm.toml"
    path.write_text(FILE)
    resolved = check(load_config(path, {}), {}).providers["p"]
    assert resolved.price == Price(
        Decimal("0.15"),
        Decimal("0.6"),
        source="configuration",
        reasoning=Decimal("0.123456789012345678901"),
        request=Decimal("0.005"),
    )
    small = Price(Decimal("0.1"), Decimal("0.2"), Decimal("0.05"), source="configuration")
    assert resolved.prices.find("small", TODAY) == small
    assert resolved.prices.find("large-2", TODAY) == LARGE
    assert resolved.prices.find("large-2", date(2027, 1, 1)) == Price(
        Decimal(2), Decimal(0), source="configuration"
    )
    assert resolved.prices.find("mini", TODAY) is None


def test_json_says_a_date_as_a_text(tmp_path: Path) -> None:
    """It has no dates of its own; the same as in TOML is meant."""
    path = tmp_path / "llm.json"
    entry = {"input": 1, "output": 2, "since": "2026-11-21"}
    path.write_text(json.dumps(provider(prices={"m": [entry]})))
    in_toml = load_config(provider(prices={"m": [{**entry, "since": date(2026, 11, 21)}]}), {})
    assert load_config(path, {}) == in_toml
    prices = check(load_config(path, {}), {}).providers["p"].prices
    assert prices.find("m", TODAY) is None
    assert prices.find("m", date(2026, 11, 21)) is not None


def test_in_code_an_entry_may_be_settings() -> None:
    """`PriceSettings` and a table of the same figures are the same."""
    same: list[Any] = [
        PriceSettings(0.15, "0.6", request=Decimal("0.01")),
        {"input": Decimal("0.15"), "output": 0.6, "request": "0.01"},
    ]
    first, second = (Provider("simulated", prices={"m": entry}) for entry in same)
    assert first == second
    assert check(Config({"p": first}), {}).providers["p"].prices.models["m"] == (
        DatedPrice(
            Price(
                Decimal("0.15"),
                Decimal("0.6"),
                source="configuration",
                request=Decimal("0.01"),
            )
        ),
    )


def test_a_tier_says_what_differs() -> None:
    """What it leaves out is as for shorter inputs; tiers may come in any order."""
    base = {"input": 1, "output": 2, "cached_input": 0.5, "reasoning": 3, "request": 4}
    entries = [{"above": 20, "input": 5}, base, {"above": 10, "output": 6, "cache_write": 7}]
    found = table_of(m=entries).find("m", TODAY)
    assert found is not None
    half = Decimal("0.5")
    assert found.tiers == (
        PriceTier(10, Decimal(1), Decimal(6), half, Decimal(7), Decimal(3)),
        PriceTier(20, Decimal(5), Decimal(2), half, None, Decimal(3)),
    )
    assert found.request == 4


def test_each_date_has_tiers_of_its_own() -> None:
    """A new price does not inherit the tiers of the old one."""
    later = {"since": date(2027, 1, 1)}
    entries = [
        {"input": 1},
        {"input": 2, "above": 10},
        {"input": 3, **later},
        {"input": 4, "above": 30, **later},
    ]
    table = table_of(m=entries)
    found = [table.find("m", day) for day in (TODAY, later["since"])]
    tiers = [[(tier.above, int(tier.input)) for tier in p.tiers] for p in found if p]
    assert tiers == [[(10, 2)], [(30, 4)]]


MISSING = "missing; give US dollars per million tokens"
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "no table": ({"prices": 3}, "prices: expected a table, found an integer"),
    "no entry": (
        {"prices": {"m": 0.5}},
        "prices.m: expected a table (in code, PriceSettings), found a number",
    ),
    "no entry in a list": (
        {"prices": {"m": [{"input": 1}, "x"]}},
        "prices.m[1]: expected a table (in code, PriceSettings), found a string",
    ),
    "an empty list": (
        {"prices": {"m": []}},
        "prices.m: an empty list; give a price, or leave the model out",
    ),
    "an unknown key": (
        {"prices": {"m": {"input": 1, "inputs": 2}}},
        'prices.m.inputs: unknown key; did you mean "input"?',
    ),
    "no input": ({"prices": {"gpt-5*": {"output": 1}}}, f'prices."gpt-5*".input: {MISSING}'),
    "an empty entry": ({"prices": {"m": {}}}, f"prices.m.input: {MISSING}"),
    "a star in the middle": (
        {"prices": {"gpt-*-mini": {"input": 1}}},
        'prices."gpt-*-mini": a * stands at the end of a name only; leave it out',
    ),
    "an empty name": (
        {"prices": {"": {"input": 1}}},
        'prices."": an empty name; give that of a model, or * for all',
    ),
    "a name that is none": (
        {"prices": {5: {"input": 1}}},
        "prices.5: expected the name of a model, found an integer",
    ),
    "a figure below nothing": (
        {"prices": {"m": {"input": -0.5}}},
        "prices.m.input: -0.5 is out of range; give 0 or more",
    ),
    "a figure in another unit": (
        {"prices": {"m": [{"input": 1, "request": 2e6}]}},
        "prices.m[0].request: 2e+06 is out of range; give 1,000,000 or less",
    ),
    "a figure without end": (
        {"price": {"input": float("inf")}},
        "price.input: inf is out of range; give 1,000,000 or less",
    ),
    "a figure that is none": (
        {"price": {"input": float("nan")}},
        "price.input: not a number; give one",
    ),
    "a decimal that is none": (
        {"price": {"input": Decimal("sNaN")}},
        "price.input: not a number; give one",
    ),
    "a text that is no figure": (
        {"price": {"input": 1, "cached_input": "free"}},
        "price.cached_input: not a number; give one such as 0.15",
    ),
    "a text with a sign": (
        {"prices": {"m": {"input": "-1"}}},
        "prices.m.input: not a number; give one such as 0.15",
    ),
    "a truth value": (
        {"price": {"reasoning": True}},
        "price.reasoning: expected a number, found a boolean",
    ),
    "a figure that is not there": (
        {"prices": {"m": {"input": None}}},
        "prices.m.input: expected a number, found nothing",
    ),
    "a day that there is not": (
        {"prices": {"m": {"input": 1, "since": "2026-02-30"}}},
        "prices.m.since: not a date; give one such as 2026-01-31",
    ),
    "a date in another form": (
        {"prices": {"m": {"input": 1, "since": "20260131"}}},
        "prices.m.since: not a date; give one such as 2026-01-31",
    ),
    "a date with a time": (
        {"prices": {"m": {"input": 1, "since": datetime(2026, 1, 31, tzinfo=UTC)}}},
        "prices.m.since: not a date; give one such as 2026-01-31",
    ),
    "a year": (
        {"prices": {"m": {"input": 1, "since": 2026}}},
        "prices.m.since: expected a date, found an integer",
    ),
    "a length below one": (
        {"prices": {"m": [{"input": 1}, {"input": 1, "above": 0}]}},
        "prices.m[1].above: 0 is out of range; give 1 or more",
    ),
    "a length in parts": (
        {"prices": {"m": [{"input": 1}, {"input": 1, "above": 1.5}]}},
        "prices.m[1].above: expected an integer, found a number",
    ),
    "a tier without a price below it": (
        {"prices": {"m": [{"input": 1}, {"input": 1, "above": 9, "since": TODAY}]}},
        "prices.m[1]: no price for shorter inputs; add an entry without above for the same date",
    ),
    "a tier with a price of requests": (
        {"prices": {"m": [{"input": 1}, {"above": 9, "request": 1}]}},
        (
            "prices.m[1].request: the same for inputs of any length; give it in the entry "
            "without above"
        ),
    ),
    "two prices of one day": (
        {"prices": {"m": [{"input": 1, "since": TODAY}, {"input": 2, "since": "2026-11-20"}]}},
        (
            "prices.m[1]: for the same days and lengths as providers.p.prices.m[0]; take one of "
            "them out"
        ),
    ),
    "a date for all models": (
        {"price": {"input": 1, "since": TODAY}},
        (
            "price.since: unknown key; known are input, output, cached_input, cache_write, "
            "reasoning, request"
        ),
    ),
}


@pytest.mark.parametrize("case", list(CASES))
def test_a_fault_is_named_with_its_place_and_remedy(case: str) -> None:
    """Each wrong entry is one sentence: where it is, what is wrong, and what to do."""
    settings, fault = CASES[case]
    assert faults_of(**settings) == (f"providers.p.{fault}",)


def test_all_faults_are_told_at_once() -> None:
    """One entry that is wrong hides no other, and brings none that is only its consequence."""
    entries = [{"input": -1, "since": "soon"}, {"input": 1, "above": 9}, 7]
    assert [fault.partition(":")[0] for fault in faults_of(prices={"m": entries, "n": {}})] == [
        "providers.p.prices.m[0].input",
        "providers.p.prices.m[0].since",
        "providers.p.prices.m[2]",
        "providers.p.prices.n.input",
    ]


figures = (
    st.floats(0, 1e6, allow_nan=False)
    | st.integers(0, 10**6)
    | st.decimals(0, 10**6, places=20)
    | st.decimals(0, 10**6, places=4).map(str)
)
entries = st.fixed_dictionaries(
    {"input": figures},
    optional={"output": figures, "cached_input": figures, "reasoning": figures},
)
dated = st.tuples(entries, st.dates()).map(lambda pair: {**pair[0], "since": pair[1]})
tables = st.dictionaries(
    st.sampled_from(["m", "gpt-5*", "a b", "*"]),
    entries
    | st.lists(dated, min_size=1, max_size=3, unique_by=lambda entry: entry["since"])
    | st.tuples(entries, entries.map(lambda entry: {**entry, "above": 9})),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.none() | st.builds(PriceSettings, figures, figures, reasoning=figures), tables)
def test_what_is_saved_loads_back_equal(
    tmp_path: Path, price: PriceSettings | None, prices: dict[str, Any]
) -> None:
    """Dates and figures keep their last digit, also those that no float holds."""
    path = tmp_path / "saved.toml"
    config = Config({"p": Provider("simulated", price=price, prices=prices)})
    config.save(path)
    loaded = load_config(path, {})
    assert loaded == config
    before, after = (check(each, {}).providers["p"] for each in (config, loaded))
    assert (after.price, after.prices) == (before.price, before.prices)


def test_a_file_that_is_saved_is_for_people(tmp_path: Path) -> None:
    """Numbers stay numbers and dates dates; only what a number cannot hold becomes text."""
    path = tmp_path / "llm.toml"
    path.write_text(FILE)
    load_config(path, {}).save(path)
    saved = path.read_text()
    assert "since = 2027-01-01" in saved
    assert "input = 0.15" in saved
    assert 'reasoning = "0.123456789012345678901"' in saved

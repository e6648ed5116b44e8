"""The settings of strategies and safeguards: what is understood, and every fault by its path."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from tests.config.config_fixture_classes import Backwards, shortest
from trio_llm import (
    Config,
    ConfigError,
    Fallback,
    OnInterrupt,
    Provider,
    Race,
    RateLimitError,
    load_config,
)
from trio_llm.config import check
from trio_llm.policy.retry import RetryRule

SIM: dict[str, Any] = {"kind": "simulated"}


def _faults(table: Mapping[str, Any]) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        load_config(table, {})
    return caught.value.faults


def _with(**settings: Any) -> dict[str, Any]:
    """Give a configuration of three providers and one balancer ``x`` over two of them."""
    return {
        "providers": {"a": SIM, "b": SIM, "c": SIM},
        "balancers": {"x": {"members": ["a", "b"], **settings}},
        "default": "x",
    }


def _provider(**settings: Any) -> dict[str, Any]:
    return {"providers": {"p": {**SIM, **settings}}}


CASES: dict[str, tuple[dict[str, Any], str]] = {
    "a model for nobody": (
        _with(kind="race", models={"c": "m"}),
        'balancers.x.models.c: no member named "c"; known are a, b',
    ),
    "a virtual model for nobody": (
        _with(kind="race", virtual_models={"best": {"c": "m"}}),
        'balancers.x.virtual_models.best.c: no member named "c"; known are a, b',
    ),
    "an empty virtual model": (
        _with(kind="race", virtual_models={"best": {}}),
        (
            "balancers.x.virtual_models.best: an empty table; name a model for a member, or "
            "leave it out"
        ),
    ),
    "a virtual model by the name of a provider": (
        _with(kind="race", virtual_models={"c": {"a": "m"}}),
        "balancers.x.virtual_models.c: the name of a provider or balancer; give it another",
    ),
    "an unknown policy": (
        _with(kind="fallback", on_interrupt="resumes"),
        'balancers.x.on_interrupt: no policy "resumes"; did you mean "resume"?',
    ),
    "an unknown judge": (
        _with(kind="race", strategy="quality", judge="d"),
        'balancers.x.judge: no provider named "d"; known are a, b, c, x',
    ),
    "a judge that nobody reads": (
        _with(kind="race", judge="c"),
        'balancers.x.judge: read by the strategy "quality" alone; set it, or leave it out',
    ),
    "a judge and a scorer": (
        _with(kind="race", strategy="quality", judge="c", scorer="math:sqrt"),
        "balancers.x.judge: given together with scorer; give one",
    ),
    "a scorer that is nowhere": (
        _with(kind="race", strategy="quality", scorer="math:score"),
        'balancers.x.scorer: no function "score" in "math"; correct the name',
    ),
    "a scorer that cannot be called": (
        _with(kind="race", strategy="quality", scorer="math:pi"),
        "balancers.x.scorer: a number cannot be called; name a function",
    ),
    "a judge that asks the race": (
        {
            "providers": {"a": SIM},
            "balancers": {
                "x": {"kind": "race", "strategy": "quality", "members": ["a"], "judge": "y"},
                "y": {"kind": "fallback", "members": ["x"]},
            },
            "default": "x",
        },
        "balancers.x.judge: a cycle: x -> y -> x; take one of them out",
    ),
    "specialists that are nowhere": (
        _with(kind="fallback", on_context_length=["a", "d"]),
        'balancers.x.on_context_length[1]: no provider named "d"; known are a, b, c, x',
    ),
    "a specialist named twice": (
        _with(kind="fallback", on_content_filter=["c", "c"]),
        'balancers.x.on_content_filter[1]: "c" is named twice; name it once',
    ),
    "a quorum beyond the members": (
        _with(kind="consensus", quorum=3),
        "balancers.x.quorum: 3 of 2 members; give 2 or less",
    ),
    "no embedder": (
        _with(kind="consensus", strategy="embedding"),
        "balancers.x.embedder: missing; name a provider that embeds",
    ),
    "an embedder that nobody reads": (
        _with(kind="consensus", embedder="c"),
        'balancers.x.embedder: read by the strategy "embedding" alone; set it, or leave it out',
    ),
    "weights that nobody reads": (
        _with(kind="consensus", weights={"a": 1}),
        'balancers.x.weights: read by the strategy "weighted" alone; set it, or leave weights out',
    ),
    "a share beyond all": (
        _with(kind="hedge", max_extra_calls=2),
        "balancers.x.max_extra_calls: 2 is out of range; give 0 or more and 1 or less",
    ),
    "no selection": (
        _with(kind="load_balance", strategy="custom"),
        "balancers.x.selection: missing; name your rule as package.module:name",
    ),
    "a selection that nobody reads": (
        _with(kind="load_balance", selection="math:pi"),
        'balancers.x.selection: read by the strategy "custom" alone; set it, or leave it out',
    ),
    "a selection without its method": (
        _with(kind="load_balance", strategy="custom", selection="math:pi"),
        "balancers.x.selection: it has no method `order(self, request, members)`",
    ),
    "an unknown strategy": (
        _with(kind="load_balance", strategy="least_bussy"),
        'balancers.x.strategy: no strategy "least_bussy"; did you mean "least_busy"?',
    ),
    "a retry of an unknown error": (
        _provider(retry={"errors": {"RateLimitErr": {"attempts": 1}}}),
        (
            'providers.p.retry.errors.RateLimitErr: no error class "RateLimitErr"; did you mean '
            '"RateLimitError"?'
        ),
    ),
    "an unknown word of a retry": (
        _provider(retry={"errors": {"RateLimitError": {"attempt": 1}}}),
        ('providers.p.retry.errors.RateLimitError.attempt: unknown key; did you mean "attempts"?'),
    ),
    "retries that are no number": (
        _provider(retry={"errors": {"RateLimitError": {"attempts": 1.5}}}),
        "providers.p.retry.errors.RateLimitError.attempts: expected an integer, found a number",
    ),
    "fewer retries than none": (
        _provider(retry={"errors": {"RateLimitError": {"base_delay": -1}}}),
        "providers.p.retry.errors.RateLimitError.base_delay: -1 is out of range; give 0 or more",
    ),
    "a share of failures of nothing": (
        _provider(breaker={"ratio": 0}),
        "providers.p.breaker.ratio: 0 is out of range; give more than 0 and 1 or less",
    ),
    "an unknown way to go on": (
        _provider(rate_limit={"on_limit": "fall on"}),
        'providers.p.rate_limit.on_limit: no way to go on "fall on"; did you mean "fall_on"?',
    ),
    "a probe that there is not": (
        _provider(health_check={"interval": 5, "call": "model"}),
        'providers.p.health_check.call: no call "model"; did you mean "models"?',
    ),
    "a price below nothing": (
        _provider(price={"input": -1}),
        "providers.p.price.input: -1 is out of range; give 0 or more",
    ),
    "no text to stand in": (
        {**_provider(), "degradation": {"reply": ""}},
        "degradation.reply: an empty string; give a value or leave the key out",
    ),
}


@pytest.mark.parametrize("case", list(CASES))
def test_a_fault_is_named_with_its_place_and_remedy(case: str) -> None:
    """Each wrong setting is one sentence: where it is, what is wrong, and what to do."""
    table, fault = CASES[case]
    assert _faults(table) == (fault,)


def test_a_retry_by_class_says_only_what_differs() -> None:
    """What a row leaves out is as for all other errors of the provider."""
    rows = {"RateLimitError": {"attempts": 5}}
    retry = {"attempts": 1, "base_delay": 2.0, "errors": rows}
    provider = check(load_config(_provider(retry=retry), {}), {}).providers["p"]
    assert provider.retry == RetryRule(1, 2.0, 8.0)
    assert provider.retries == {RateLimitError: RetryRule(5, 2.0, 8.0)}


def test_a_price_is_exact() -> None:
    """What is written as 0.15 is 0.15 dollars per million tokens, to the last digit."""
    table = _provider(price={"input": 0.15, "output": 0.6, "cached_input": 0.075})
    price = check(load_config(table, {}), {}).providers["p"].price
    assert price is not None
    assert (price.input, price.output) == (Decimal("0.15"), Decimal("0.6"))
    assert (price.cached_input, price.cache_write) == (Decimal("0.075"), None)


def test_who_is_asked_besides_the_members_starts_before_the_balancer() -> None:
    """A judge is in the order of start, counts for the height, and is nobody's member."""
    table = _with(kind="race", strategy="quality", judge="jury")
    table["balancers"]["jury"] = {"kind": "fallback", "members": ["c"]}
    plan = check(load_config(table, {}), {})
    race = plan.balancers["x"]
    assert plan.order.index("jury") < plan.order.index("x")
    assert (race.members, race.advisers) == (("a", "b"), {"judge": ("jury",)})
    assert race.height == 2


def test_a_judge_is_not_the_default() -> None:
    """Without a default the only balancer that nobody asks is it."""
    table = _with(kind="race", strategy="quality", judge="jury")
    table["balancers"]["jury"] = {"kind": "fallback", "members": ["c"]}
    del table["default"]
    assert check(load_config(table, {}), {}).default == "x"


def test_a_specialist_that_is_switched_off_is_passed_over() -> None:
    """A disabled provider among the specialists is no fault, and is not asked."""
    table = _with(kind="fallback", on_context_length=["b", "c"])
    table["providers"]["c"] = {**SIM, "enabled": False}
    plan = check(load_config(table, {}), {})
    assert plan.balancers["x"].advisers == {"on_context_length": ("b",)}


def test_functions_and_selections_come_by_name_or_as_they_are() -> None:
    """A scorer is a function or the name of one; a selection an object, a class, or a name."""
    place = "tests.config.config_fixture_classes"
    for scorer in (shortest, f"{place}:shortest"):
        plan = check(load_config(_with(kind="race", strategy="quality", scorer=scorer), {}), {})
        assert plan.balancers["x"].scorer is shortest
    for selection in (Backwards(), Backwards, f"{place}:Backwards"):
        table = _with(kind="load_balance", strategy="custom", selection=selection)
        plan = check(load_config(table, {}), {})
        assert isinstance(plan.balancers["x"].selection, Backwards)


def test_a_policy_is_a_word_or_a_member_of_the_enumeration() -> None:
    """In code both forms are equal."""
    members = [Provider("simulated", "a")]
    by_word = Fallback(members, on_interrupt="resume")
    assert by_word == Fallback(members, on_interrupt=OnInterrupt.RESUME)


def test_the_grace_period_may_stand_beside_first_wins() -> None:
    """A file may hold it whatever the strategy, so that the strategy is one word to change."""
    table = _with(kind="race", strategy="first_wins", timeout=5.0, grace_period=0.5)
    race = check(load_config(table, {}), {}).balancers["x"].settings
    assert isinstance(race, Race)
    assert race.grace_period == 0.5


def test_what_is_not_said_is_as_documented() -> None:
    """The defaults of the safeguards: no limits, no probes, no stand-ins."""
    config = Config({"p": Provider("simulated")})
    provider = config.providers["p"]
    assert provider.rate_limit.requests_per_minute is None
    assert provider.health_check.interval is None
    assert provider.hold_after_cancel == 0.0
    assert (config.degradation.stale, config.degradation.reply) == (False, None)
    assert (config.retry_budget.share, config.retry_budget.per_second) == (0.2, 10.0)

"""What a use of tokens costs: exact, by parts, by the length of the input, rounded once."""

from decimal import ROUND_HALF_EVEN, Decimal, getcontext, localcontext
from fractions import Fraction

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trio_llm.chat import Certainty, Cost, Price, PriceTier, Usage
from trio_llm.chat.cost import PICO
from trio_llm.policy.costing import amount, cost_of, estimated

FULL = Price(
    Decimal("1.25"),
    Decimal(10),
    Decimal("0.125"),
    Decimal("1.5"),
    reasoning=Decimal(20),
    request=Decimal("0.005"),
    tiers=(
        PriceTier(100, Decimal(2), Decimal(12), Decimal("0.2")),
        PriceTier(200, Decimal(3), Decimal(14), None, Decimal(4), Decimal(15)),
    ),
)
counts = st.integers(0, 2**40)
figures = st.decimals(0, 1000, places=6)
fine_figures = st.decimals(0, 1000, places=18)
optional = st.none() | figures


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """Give counts whose parts are no more than the whole."""
    cached, written, plain = draw(counts), draw(counts), draw(counts)
    reasoning, said = draw(counts), draw(counts)
    return Usage(cached + written + plain, reasoning + said, cached, written, reasoning)


def prices(figure: st.SearchStrategy[Decimal] = figures) -> st.SearchStrategy[Price]:
    """Give prices of all sorts, with up to three tiers."""
    some = st.none() | figure
    tier = st.builds(PriceTier, counts, figure, figure, some, some, some)
    tiers = st.lists(tier, max_size=3, unique_by=lambda t: t.above).map(
        lambda tiers: tuple(sorted(tiers, key=lambda t: t.above))
    )
    return st.builds(Price, figure, figure, some, some, reasoning=some, request=figure, tiers=tiers)


def by_hand(price: Price, usage: Usage) -> Fraction:
    """Give what it costs in fractions, which nothing rounds."""
    above = [tier for tier in price.tiers if usage.input_tokens > tier.above]
    rates: Price | PriceTier = above[-1] if above else price
    parts = (
        (usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens, rates.input),
        (usage.cached_tokens, rates.cached_input),
        (usage.cache_write_tokens, rates.cache_write),
    )
    paid = sum(Fraction(rates.input if rate is None else rate) * n for n, rate in parts)
    thought = rates.output if rates.reasoning is None else rates.reasoning
    said = usage.output_tokens - usage.reasoning_tokens
    earned = Fraction(rates.output) * said + Fraction(thought) * usage.reasoning_tokens
    return (paid + earned) / 1_000_000 + Fraction(price.request)


@given(prices(), usages())
def test_with_figures_of_six_decimals_nothing_is_rounded(price: Price, usage: Usage) -> None:
    """It is to the last digit the sum over the parts of what each of them costs."""
    assert Fraction(amount(price, usage)) == by_hand(price, usage)


@given(prices(fine_figures), usages())
def test_finer_figures_are_rounded_once(price: Price, usage: Usage) -> None:
    """What is booked is the nearest whole number of the unit, the even one of two."""
    booked = amount(price, usage)
    unit = Fraction(PICO)
    assert Fraction(booked) == round(by_hand(price, usage) / unit) * unit
    assert booked.as_tuple().exponent == PICO.as_tuple().exponent


@pytest.mark.parametrize(
    ("length", "dollars"),
    [
        (0, Decimal("0.005")),
        (100, Decimal("0.005") + Decimal("1.25") * 100 / 10**6),
        (101, Decimal("0.005") + Decimal(2) * 101 / 10**6),
        (200, Decimal("0.005") + Decimal(2) * 200 / 10**6),
        (201, Decimal("0.005") + Decimal(3) * 201 / 10**6),
    ],
)
def test_a_tier_begins_above_its_length(length: int, dollars: Decimal) -> None:
    """At the threshold the lower price holds; one token more, and all of them cost the higher."""
    assert amount(FULL, Usage(length)) == dollars
    assert estimated(FULL, length, 0) == dollars


def test_a_tier_holds_for_the_whole_request() -> None:
    """Output, reasoning and the cache cost what the tier says, or as its own input and output."""
    usage = Usage(300, 70, cached_tokens=100, cache_write_tokens=50, reasoning_tokens=30)
    tokens = 150 * 3 + 100 * 3 + 50 * 4 + 40 * 14 + 30 * 15
    assert amount(FULL, usage) == Decimal("0.005") + Decimal(tokens) / 10**6
    assert amount(FULL, Usage(150, 10, reasoning_tokens=10)) == (
        Decimal("0.005") + Decimal(150 * 2 + 10 * 12) / 10**6
    )


def test_cached_tokens_count_for_the_length() -> None:
    """A long conversation is long also when most of it is in the cache."""
    assert amount(FULL, Usage(101, cached_tokens=101)) == Decimal("0.005") + Decimal("20.2") / 10**6


@given(figures, figures, figures, usages())
def test_a_cheaper_cache_never_makes_it_dearer(
    input_: Decimal, output: Decimal, cached: Decimal, usage: Usage
) -> None:
    """With a price of its own that is no higher, what is cached costs no more than before."""
    usual = Price(input_, output)
    cheaper = attrs.evolve(usual, cached_input=min(cached, input_))
    assert amount(cheaper, usage) <= amount(usual, usage)


@given(prices(), counts, counts)
def test_an_estimate_is_what_such_a_use_would_cost(price: Price, read: int, written: int) -> None:
    """Nothing cached, nothing thought: the two agree to the last digit."""
    assert estimated(price, read, written) == amount(price, Usage(read, written))


@given(prices(), st.builds(Usage, counts, counts, counts, counts, counts))
def test_counts_that_do_not_add_up_cost_no_less_than_their_parts(
    price: Price, usage: Usage
) -> None:
    """A provider's nonsense makes no negative amount, and no part of it is free."""
    parts = attrs.evolve(
        usage,
        input_tokens=max(usage.input_tokens, usage.cached_tokens + usage.cache_write_tokens),
        output_tokens=max(usage.output_tokens, usage.reasoning_tokens),
    )
    assert amount(price, usage) >= 0
    if not price.tiers and price.reasoning is not None:
        assert amount(price, usage) == amount(price, parts)


def test_what_was_counted_is_exact() -> None:
    """The tokens are the provider's, so that the amount is sure."""
    assert cost_of(FULL, Usage(10)) == Cost(Decimal("0.0050125"), Certainty.EXACT)


@example(1)
@given(st.integers(1, 28))
def test_the_applications_own_context_is_no_matter(digits: int) -> None:
    """Who counts in few digits elsewhere loses no money here, and is told of no error."""
    usage = Usage(123_456_789, 987_654_321, 1_234_567)
    with localcontext(prec=digits):
        costs = [cost_of(FULL, usage), cost_of(FULL, Usage(1))]
        total = Cost.total(costs)
    assert [cost.amount for cost in costs] == [amount(FULL, usage), amount(FULL, Usage(1))]
    assert total.amount == sum(Fraction(cost.amount) for cost in costs)
    assert getcontext().rounding == ROUND_HALF_EVEN

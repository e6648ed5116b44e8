"""A retry budget can go by other figures while it is in use."""

from hypothesis import given, settings
from hypothesis import strategies as st

from trio_llm.policy import RetryBudget

FIGURES = st.tuples(st.floats(0.0, 5.0), st.floats(0.0, 20.0))
STEPS = st.lists(
    st.tuples(st.floats(0.0, 3.0), st.sampled_from(("earn", "spend", "adjust")), FIGURES)
)


def _spent(budget: RetryBudget, now: float) -> int:
    """Spend all that is left at one instant; give how many retries that was."""
    count = 0
    while budget.spend(now):
        count += 1
    return count


def test_what_was_earned_stays() -> None:
    """Other figures take effect from the instant of the change on, not before it."""
    budget = RetryBudget(share=0.0, per_second=1.0)
    assert _spent(budget, 0.0) == 10
    budget.adjust(3.0, share=0.0, per_second=10.0)
    assert _spent(budget, 3.0) == 3
    assert _spent(budget, 4.0) == 10


def test_no_more_stays_than_the_new_figures_let_be_kept() -> None:
    """Ten seconds' worth, and at least one."""
    budget = RetryBudget(per_second=10.0)
    budget.adjust(0.0, share=0.2, per_second=0.5)
    assert _spent(budget, 0.0) == 5
    budget = RetryBudget(per_second=10.0)
    budget.adjust(0.0, share=0.2, per_second=0.0)
    assert _spent(budget, 0.0) == 1


@settings(deadline=None)
@given(start=FIGURES, steps=STEPS)
def test_a_change_never_gives_a_retry(
    start: tuple[float, float], steps: list[tuple[float, str, tuple[float, float]]]
) -> None:
    """Whatever is changed and when, all retries were there at first or have been earned."""
    now, budget = 0.0, RetryBudget(*start)
    _spent(budget, now)
    earned, spent, (share, per_second) = 1.0, 0, start
    for after, act, figures in steps:
        now += after
        earned += after * per_second
        if act == "earn":
            budget.earn()
            earned += share
        elif act == "spend":
            spent += budget.spend(now)
        else:
            share, per_second = figures
            budget.adjust(now, share=share, per_second=per_second)
        assert spent <= earned + 1e-6


def test_without_any_earnings_there_are_no_retries() -> None:
    """A budget of nothing allows nothing."""
    budget = RetryBudget(share=0.0, per_second=0.0)
    budget.earn()
    assert _spent(budget, 1e6) == 0

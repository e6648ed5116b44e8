"""A runtime that is cancelled while it opens leaves, at whichever step that comes.

The actors, the books and shared calls are shielded once they have started, so that the body's
clean-up can still use them. A start that is cancelled in its last step must not shield them:
nobody would be there to stop them.
"""

import threading
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.guarantees.cancelling import CancelBefore
from trio_llm import Config, Fallback, Provider, StoreSettings, open_runtime
from trio_llm.testing import seeds

PATIENCE = 30.0
"""Seconds of real time that only a run which hangs will use up."""

STEPS = 60
"""More than an opening has."""


async def _open(config: Config, step: int) -> bool:
    """Open a runtime, cancelled before a step, and leave it; tell whether its body was reached."""
    reached = False
    scope = trio.CancelScope()
    instrument = CancelBefore(scope, step)
    trio.lowlevel.add_instrument(instrument)
    with scope:
        async with open_runtime(config):
            reached = True
            trio.lowlevel.remove_instrument(instrument)
    assert trio.lowlevel.current_statistics().tasks_living <= 3  # the run's own
    return reached


def _leaves(config: Config, step: int) -> bool:
    """Cancel an opening at a step; tell whether its body was reached, or fail if it hangs."""
    outcomes: list[bool] = []

    def work() -> None:
        clock = MockClock(autojump_threshold=0)
        outcomes.append(trio.run(_open, config, step, clock=clock))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert outcomes, f"cancelled before step {step}, the opening hangs"
    return outcomes[0]


@pytest.mark.parametrize("store", ["memory", "disk"])
def test_an_opening_that_is_cancelled_leaves(store: str, tmp_path: Path) -> None:
    """At every step until the body is reached, with the books in memory and on disk."""
    settings = StoreSettings(path=str(tmp_path / "usage.db") if store == "disk" else None)
    members = [Provider("simulated", name) for name in ("one", "two")]
    config = Config(default=Fallback(members, name="both"), store=settings)
    for _ in seeds(20, share=20, least=1):  # Trio's own scheduler draws the order
        reached = [_leaves(config, step) for step in range(STEPS)]
        assert not reached[0]
        assert reached[-1]

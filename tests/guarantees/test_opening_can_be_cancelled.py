"""A runtime that is cancelled while it opens leaves, at whichever step that comes.

The actors, the books and shared calls are shielded once they have started, so that the body's
clean-up can still use them. A start that is cancelled in its last step must not shield them:
nobody would be there to stop them.
"""

import threading
from pathlib import Path

import attrs
import pytest
import trio
from trio.testing import MockClock

from trio_llm import Config, Fallback, Provider, StoreSettings, open_runtime
from trio_llm.testing import seeds

PATIENCE = 30.0
"""Seconds of real time that only a run which hangs will use up."""

STEPS = 60
"""More than an opening has."""


@attrs.define(eq=False)
class _CancelsAt(trio.abc.Instrument):
    """Cancels a scope before a step of any task, counted from the opening on."""

    step: int
    scope: trio.CancelScope | None = None
    count: int = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:  # noqa: ARG002 - as Trio has it
        if self.scope is not None:
            self.count += 1
            if self.count == self.step:
                self.scope.cancel()


async def _open(config: Config, instrument: _CancelsAt) -> bool:
    """Open a runtime and leave it; tell whether its body was reached."""
    reached = False
    with trio.CancelScope() as scope:
        instrument.scope = scope
        async with open_runtime(config):
            reached = True
            instrument.scope = None
    tasks = trio.lowlevel.current_root_task()
    assert tasks is not None
    assert trio.lowlevel.current_statistics().tasks_living <= 3  # the run's own
    return reached


def _leaves(config: Config, step: int) -> bool:
    """Cancel an opening at a step; tell whether its body was reached, or fail if it hangs."""
    outcomes: list[bool] = []

    def work() -> None:
        instrument = _CancelsAt(step)
        clock = MockClock(autojump_threshold=0)
        outcomes.append(trio.run(_open, config, instrument, clock=clock, instruments=[instrument]))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert outcomes, f"cancelled at step {step}, the opening hangs"
    return outcomes[0]


@pytest.mark.parametrize("store", ["memory", "disk"])
def test_an_opening_that_is_cancelled_leaves(store: str, tmp_path: Path) -> None:
    """At every step until the body is reached, with the books in memory and on disk."""
    settings = StoreSettings(path=str(tmp_path / "usage.db") if store == "disk" else None)
    members = [Provider("simulated", name) for name in ("one", "two")]
    config = Config(default=Fallback(members, name="both"), store=settings)
    for _ in seeds(20, share=20, least=1):  # Trio's own scheduler draws the order
        reached = [_leaves(config, step) for step in range(1, STEPS)]
        assert not reached[0]
        assert reached[-1]

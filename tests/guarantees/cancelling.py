"""An instrument that cancels a scope before any step that the scheduler takes."""

import attrs
import trio


@attrs.define(eq=False)
class CancelBefore(trio.abc.Instrument):
    """Cancels a scope before the task step with a given number, counted from when it is added.

    Attributes:
        scope: The scope.
        step: The number of the step, from 0; a negative one is never reached.
        steps: How many steps there have been.
        cancelled_at: When it did, on Trio's clock.
    """

    scope: trio.CancelScope
    step: int
    steps: int = attrs.field(default=0, init=False)
    cancelled_at: float | None = attrs.field(default=None, init=False)

    def before_task_step(self, task: trio.lowlevel.Task) -> None:  # noqa: ARG002 - Trio names it
        """Count the step."""
        if self.steps == self.step:
            self.cancelled_at = trio.current_time()
            self.scope.cancel(reason="the test says so")
        self.steps += 1

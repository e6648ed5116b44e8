"""What the tests of the operations share: scripted members that offer operations."""

from typing import Any

import attrs
import trio

from trio_llm import Operation, Provider, Runtime
from trio_llm.testing import ScriptedProvider
from trio_llm.testing.script import Script


@attrs.define(eq=False)
class Stage:
    """The scripted providers of one scenario, by name."""

    scripts: dict[str, ScriptedProvider] = attrs.field(factory=dict[str, ScriptedProvider])

    def provider(
        self, name: str, script: Script, *operations: type[Operation], **settings: Any
    ) -> Provider:
        """Add a provider that follows a script and offers some operations."""
        self.scripts[name] = ScriptedProvider(script, operations)
        return Provider("custom", name, cls=self.scripts[name], **settings)

    def assert_idle(self, llm: Runtime) -> None:
        """Demand that nothing runs, waits or occupies a place."""
        assert sum(script.running for script in self.scripts.values()) == 0
        for status in llm.status():
            assert (status.name, status.in_flight, status.queued) == (status.name, 0, 0)


@attrs.define(eq=False)
class CancelBefore(trio.abc.Instrument):
    """Cancels a scope before the task step with a given number."""

    scope: trio.CancelScope
    step: int
    steps: int = attrs.field(default=0, init=False)

    def before_task_step(self, task: trio.lowlevel.Task) -> None:  # noqa: ARG002 - Trio names it
        """Count the step."""
        if self.steps == self.step:
            self.scope.cancel(reason="the test says so")
        self.steps += 1

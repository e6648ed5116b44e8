"""One question and its answer: written as it comes, with what happens to it on the way."""

from typing import Any, Final

import attrs
from rich.text import Text

from trio_llm.chat import OnInterrupt, Reply, Request, Switched, TextDelta
from trio_llm.cli.attempts import as_data, attempt_tree, summary
from trio_llm.cli.reasons import Story, degraded, reasons
from trio_llm.cli.terminal import Terminal, printable
from trio_llm.config import check
from trio_llm.endpoint import Endpoint
from trio_llm.errors import LLMError
from trio_llm.runtime import Runtime

_RESTARTS: Final = OnInterrupt.RESTART.value


@attrs.define
class Conversation:
    """One question and its answer, written where they belong.

    Args:
        terminal: Where to.
        verbose: Whether every attempt is shown.
        as_json: Whether the outcome is one JSON object.
        streaming: Whether the answer is taken as it is written.
    """

    terminal: Terminal
    verbose: bool
    as_json: bool
    streaming: bool
    _story: Story = attrs.field(factory=Story, init=False)
    _switches: list[Switched] = attrs.field(factory=list[Switched], init=False)
    _held: list[str] | None = attrs.field(default=None, init=False)

    async def hold(self, runtime: Runtime, endpoint: Endpoint, request: Request) -> None:
        """Ask, write the answer, and say how it came about."""
        terminal = self.terminal
        runtime.subscribe(self._story.observe)
        piped = not terminal.read_by_a_person
        if self.as_json or (piped and _may_restart(runtime, request)):
            # What a pipe has been given cannot be taken back when the answer begins anew.
            self._held = []
        try:
            reply = await self._ask(endpoint, request)
        except LLMError as error:
            if not self.as_json:
                self._let_go()
            terminal.end_answer()
            self._show_attempts(runtime, error)
            raise
        if self.as_json:
            terminal.document(as_data(reply) | {"switches": self._switches_data()})
        else:
            self._let_go()
            terminal.end_answer()
            self._explain(reply)
        self._show_attempts(runtime, reply)

    async def _ask(self, endpoint: Endpoint, request: Request) -> Reply:
        if not self.streaming:
            reply = await endpoint.generate(request)
            self._write(reply.text)
            return reply
        async with endpoint.stream(request) as stream:
            async for event in stream:
                if isinstance(event, TextDelta):
                    self._write(event.text)
                elif isinstance(event, Switched):
                    self._switch(event)
            return stream.reply

    def _write(self, piece: str) -> None:
        if self._held is None:
            self.terminal.answer(piece)
        else:
            self._held.append(piece)

    def _let_go(self) -> None:
        """Write what was held back."""
        if self._held is not None:
            self.terminal.answer("".join(self._held))
            self._held = None

    def _switch(self, event: Switched) -> None:
        self._switches.append(event)
        if event.policy is OnInterrupt.RESTART and self._held is not None:
            self._held.clear()
        if self.as_json:
            return
        failed, provider = event.failed, event.provider
        if event.policy is OnInterrupt.RESTART:
            self.terminal.remark(
                Text.assemble(
                    ("↻ ", "yellow"),
                    (f"the answer begins anew, by {provider}", "bold yellow"),
                    f": {failed} broke off ({printable(event.reason)})",
                )
            )
        else:
            self.terminal.mark(f"[{failed} broke off; {provider} goes on]")

    def _switches_data(self) -> list[dict[str, Any]]:
        return [attrs.asdict(each) | {"policy": each.policy.value} for each in self._switches]

    def _explain(self, reply: Reply) -> None:
        terminal = self.terminal
        stand_in = degraded(reply)
        if stand_in is not None:
            terminal.remark(stand_in)
        terminal.remark(summary(reply))
        for reason in reasons(reply, self._story):
            terminal.remark(reason)

    def _show_attempts(self, runtime: Runtime, outcome: Reply | LLMError) -> None:
        if not self.verbose:
            return
        kinds = {status.name: status.kind for status in runtime.status() if status.members}
        tree = attempt_tree(outcome.attempts, kinds)
        if tree is not None:
            self.terminal.remark(tree)


def _may_restart(runtime: Runtime, request: Request) -> bool:
    """Whether a stream that breaks may begin anew, by the call or by any balancer."""
    if request.on_interrupt is not None:
        return request.on_interrupt is OnInterrupt.RESTART
    balancers = check(runtime.config).balancers.values()
    return any(each.settings.on_interrupt == _RESTARTS for each in balancers)

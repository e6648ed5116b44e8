"""What the tests of tools and of structured answers share: models that follow a plan."""

from collections.abc import Sequence
from typing import Any

import attrs

from trio_llm import Completion, Config, Message, Provider, ToolCall, Usage
from trio_llm.chat import AnyResult
from trio_llm.providers.backend import Work
from trio_llm.testing import ScriptedProvider, Step
from trio_llm.testing.script import Script


@attrs.define(eq=False)
class Native(ScriptedProvider):
    """A scripted provider that is asked for a shape by means of its own, and notes what it is."""

    structured_output = True
    asked: list[Work] = attrs.field(factory=list[Work], init=False)

    async def answer(self, work: Work) -> AnyResult:
        self.asked.append(work)
        return await super().answer(work)


@attrs.frozen
class Calls:
    """Calls several tools in one turn, each by its name and its arguments as JSON."""

    calls: Sequence[tuple[str, str]]

    async def play(self, work: Work) -> Completion:
        calls = [
            ToolCall.parse(f"call_{index}", name, text)
            for index, (name, text) in enumerate(self.calls)
        ]
        return Completion(
            Message("assistant", calls), "tool_calls", usage=Usage(10, 5), model=work.model
        )


@attrs.frozen
class Ends:
    """Answers a text that ends for a given reason."""

    text: str
    finish: Any = "stop"

    async def play(self, work: Work) -> Completion:
        return Completion(
            Message("assistant", self.text), self.finish, usage=Usage(3, 2), model=work.model
        )


def scripted(script: Script | list[Step]) -> tuple[Native, Config]:
    """Make a provider and the configuration that has it alone."""
    provider = Native(script)
    return provider, Config(default=Provider("custom", "model", cls=provider))

"""``trio-llm ask``: one question, its answer as it is written, and how it came about."""

from typing import Annotated

import attrs
import typer

from trio_llm.chat import Message, Reply, Request, TextDelta
from trio_llm.cli.attempts import as_data, attempt_tree, summary
from trio_llm.cli.exits import ExitCode, finish
from trio_llm.cli.notices import say_if_simulated
from trio_llm.cli.options import AsJson, ConfigPath, debug_of, examples
from trio_llm.cli.reading import read_prompt
from trio_llm.cli.terminal import Terminal
from trio_llm.config import Config, Race, load_config
from trio_llm.endpoint import Endpoint, to_request
from trio_llm.errors import LLMError
from trio_llm.runtime import Runtime, open_runtime

EPILOG = examples(
    'trio-llm ask "What is an actor?"',
    "git diff | trio-llm ask --system 'Review this change.'",
    'trio-llm ask --race openai,anthropic --verbose "What is an actor?"',
    'trio-llm ask --json "What is an actor?" | jq .usage',
)


def ask(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PROMPT",
            help="The question; - or nothing reads it from standard input.",
            show_default=False,
        ),
    ] = None,
    config: ConfigPath = None,
    via: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Ask this provider or balancer, not the default."),
    ] = None,
    race: Annotated[
        str | None,
        typer.Option(metavar="A,B,...", help="Ask all of these at once; the first answer wins."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="The model to ask for.")] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="At most so many tokens of answer.")
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(min=0.0, help="Sampling temperature, 0 or more.")
    ] = None,
    system: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Instructions that come before the prompt.")
    ] = None,
    as_json: AsJson = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show every attempt, with times and outcomes.")
    ] = False,
    no_stream: Annotated[
        bool, typer.Option("--no-stream", help="Wait for the whole answer, then write it.")
    ] = False,
) -> None:
    """Ask a question; the answer goes to standard output, all else to standard error."""
    terminal = Terminal()
    debug = debug_of(context)

    if via is not None and race is not None:
        terminal.fail("--via and --race exclude each other; give one of them")
        raise typer.Exit(ExitCode.USAGE)
    # Read before Trio runs: a Ctrl-C must end the waiting for input.
    text = read_prompt(words, system, terminal)

    async def command() -> ExitCode:
        messages = [] if system is None else [Message("system", system)]
        request = to_request(
            [*messages, Message("user", text)],
            {"model": model, "max_tokens": max_tokens, "temperature": temperature},
        )
        loaded = load_config(config)
        say_if_simulated(loaded, config, terminal)
        name = via
        if race is not None:
            loaded, name = _with_race(loaded, race)
        conversation = _Conversation(terminal, verbose, as_json)
        async with open_runtime(loaded) as runtime:
            endpoint = runtime if name is None else runtime.provider(name)
            await conversation.hold(runtime, endpoint, request, streaming=not no_stream)
        return ExitCode.OK

    finish(command, terminal, debug=debug)


def _with_race(config: Config, names: str) -> tuple[Config, str]:
    """Add a race of the given members under a name that is free."""
    taken = {*config.providers, *config.balancers}
    name = "race"
    while name in taken:
        name += "-"
    members = tuple(member.strip() for member in names.split(",") if member.strip())
    return attrs.evolve(config, balancers={**config.balancers, name: Race(members)}), name


@attrs.frozen
class _Conversation:
    """One question and its answer, written where they belong."""

    terminal: Terminal
    verbose: bool
    as_json: bool

    async def hold(
        self, runtime: Runtime, endpoint: Endpoint, request: Request, *, streaming: bool
    ) -> None:
        """Ask, write the answer, and say how it came about."""
        terminal = self.terminal
        try:
            if self.as_json or not streaming:
                reply = await endpoint.generate(request)
            else:
                reply = await self._stream(endpoint, request)
        except LLMError as error:
            terminal.end_answer()
            self._show_attempts(runtime, error)
            raise
        if self.as_json:
            terminal.document(as_data(reply))
        else:
            if not streaming:
                terminal.answer(reply.text)
            terminal.end_answer()
            terminal.remark(summary(reply))
        self._show_attempts(runtime, reply)

    async def _stream(self, endpoint: Endpoint, request: Request) -> Reply:
        async with endpoint.stream(request) as stream:
            async for event in stream:
                if isinstance(event, TextDelta):
                    self.terminal.answer(event.text)
            return stream.reply

    def _show_attempts(self, runtime: Runtime, outcome: Reply | LLMError) -> None:
        if not self.verbose:
            return
        kinds = {status.name: status.kind for status in runtime.status() if status.members}
        tree = attempt_tree(outcome.attempts, kinds)
        if tree is not None:
            self.terminal.remark(tree)

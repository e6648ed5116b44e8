"""``trio-llm ask``: one question, its answer as it is written, and how it came about."""

from typing import Annotated

import typer

from trio_llm.chat import Message, OnInterrupt
from trio_llm.cli.conversation import Conversation
from trio_llm.cli.exits import ExitCode, finish
from trio_llm.cli.notices import say_if_simulated
from trio_llm.cli.options import AsJson, ConfigPath, debug_of, examples, unknown_word
from trio_llm.cli.reading import read_prompt
from trio_llm.cli.several import Whom
from trio_llm.cli.terminal import Terminal
from trio_llm.config import load_config
from trio_llm.endpoint import to_request
from trio_llm.runtime import open_runtime

EPILOG = examples(
    'trio-llm ask "What is an actor?"',
    "git diff | trio-llm ask --system 'Review this change.'",
    'trio-llm ask --race openai,anthropic --verbose "What is an actor?"',
    'trio-llm ask --race openai,anthropic --strategy quality "What is an actor?"',
    'trio-llm ask --hedge openai,anthropic --delay 0.8 "What is an actor?"',
    'trio-llm ask --consensus openai,anthropic,gemini "Is 91 prime? Yes or no."',
    'trio-llm ask --fallback openai,local --on-interrupt resume "Tell a story."',
    'trio-llm ask --json "What is an actor?" | jq .usage',
)

_INTERRUPTS = tuple(policy.value for policy in OnInterrupt)
_WAYS = "Whom to ask (at most one of these)"


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
        typer.Option(
            metavar="NAME",
            help="This provider or balancer, not the default.",
            rich_help_panel=_WAYS,
        ),
    ] = None,
    race: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help="All of these at once; the first answer wins, or as --strategy says.",
            rich_help_panel=_WAYS,
        ),
    ] = None,
    hedge: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help="The first of these; the next one, too, when the answer is late (--delay).",
            rich_help_panel=_WAYS,
        ),
    ] = None,
    consensus: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help="All of these; the answer that most of them give. The votes are shown.",
            rich_help_panel=_WAYS,
        ),
    ] = None,
    fallback: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help="The first of these; the next one when it fails.",
            rich_help_panel=_WAYS,
        ),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            metavar="WORD",
            help="Who wins the race: first_wins, weighted (by its record) or quality (by "
            "completeness). For a consensus: majority or similarity.",
            rich_help_panel=_WAYS,
        ),
    ] = None,
    delay: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            min=0.0,
            help="How late is late, for --hedge; 1 without it.",
            rich_help_panel=_WAYS,
        ),
    ] = None,
    on_interrupt: Annotated[
        str | None,
        typer.Option(
            metavar="WORD",
            help="When a stream breaks: fail, restart (another one answers anew; into a pipe "
            "the answer then comes in one piece) or resume (another one goes on).",
        ),
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
    whom = Whom(
        via=via,
        race=race,
        hedge=hedge,
        consensus=consensus,
        fallback=fallback,
        strategy=strategy,
        delay=delay,
    )
    problem = whom.problem()
    if problem is None and on_interrupt is not None:
        problem = unknown_word("--on-interrupt", "policy", on_interrupt, _INTERRUPTS)
    if problem is not None:
        terminal.fail(problem)
        raise typer.Exit(ExitCode.USAGE)
    # Read before Trio runs: a Ctrl-C must end the waiting for input.
    text = read_prompt(words, system, terminal)

    async def command() -> ExitCode:
        messages = [] if system is None else [Message("system", system)]
        request = to_request(
            [*messages, Message("user", text)],
            {
                "model": model,
                "max_tokens": max_tokens,
                "temperature": temperature,
                "on_interrupt": None if on_interrupt is None else OnInterrupt(on_interrupt),
            },
        )
        loaded = load_config(config)
        say_if_simulated(loaded, config, terminal)
        conversation = Conversation(terminal, verbose, as_json, streaming=not no_stream)
        async with open_runtime(whom.applied(loaded)) as runtime:
            endpoint = runtime if via is None else runtime.provider(via)
            await conversation.hold(runtime, endpoint, request)
        return ExitCode.OK

    finish(command, terminal, debug=debug_of(context))

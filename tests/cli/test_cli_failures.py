"""Failures in plain words, whatever failed."""

import re
from pathlib import Path

import pytest
import typer

from trio_llm import errors
from trio_llm.actors import ActorState
from trio_llm.cli.__main__ import main
from trio_llm.cli.exits import ExitCode, finish
from trio_llm.cli.failures import explain, is_usage
from trio_llm.cli.remedies import remedy_for
from trio_llm.cli.terminal import Terminal

PROVIDER_ERRORS = [
    cls
    for cls in vars(errors).values()
    if isinstance(cls, type)
    and issubclass(cls, errors.ProviderError)
    and cls is not errors.ProviderError
]


@pytest.mark.parametrize("cls", PROVIDER_ERRORS)
def test_every_class_of_error_has_a_remedy(cls: type[errors.ProviderError]) -> None:
    """Whatever a provider does, the caller is told what to do about it."""
    assert remedy_for(cls("it failed"))


def test_every_refusal_has_a_remedy_of_its_own() -> None:
    """Whatever the code of a refusal is in the library, it is not met with a common place."""
    folder = Path(errors.__file__).parent
    sources = "".join(path.read_text() for path in sorted(folder.rglob("*.py")))
    codes = set(re.findall(r"Refusal\(\s*\"(\w+)\"", sources))
    codes |= set(re.findall(r"ProviderUnavailableError\([^()]*code=\"(\w+)\"", sources))
    codes |= {state.value for state in ActorState} - {"running"}
    assert {"busy", "probing", "rate_limited", "context_length", "unsuitable"} <= codes
    common = remedy_for(errors.ProviderUnavailableError("no"))
    for code in sorted(codes):
        remedy = remedy_for(errors.ProviderUnavailableError("no", code=code))
        assert remedy not in {None, common}, code


@pytest.mark.parametrize("phase", ["race", "consensus", "deadline"])
def test_limits_of_balancers_are_told_from_those_of_providers(phase: str) -> None:
    """To raise the provider's own limits would not help."""
    own = remedy_for(errors.ProviderTimeoutError("late", phase="total"))
    assert remedy_for(errors.ProviderTimeoutError("late", phase=phase)) not in {None, own}


def test_rule_of_the_users_own_is_told_from_a_provider() -> None:
    """A selection that raised is code of another place."""
    remedy = remedy_for(errors.ProviderCrashedError("raised", code="selection"))
    assert remedy is not None
    assert "`selection`" in remedy


def test_an_error_of_no_particular_class_has_none() -> None:
    """Where nothing is known, nothing is advised."""
    assert remedy_for(errors.ProviderError("it failed")) is None


def test_earlier_failures_are_shown_below_the_last(capsys: pytest.CaptureFixture[str]) -> None:
    """An error that ended a fallback shows what had failed before it."""
    last = errors.ContextLengthError("too long", provider="b", status=400)
    last.__cause__ = errors.AllProvidersFailed(
        "earlier members of 'r' failed", [errors.ServerError("down", provider="a")], "r"
    )
    explain(last, Terminal())
    assert capsys.readouterr().err.splitlines() == [
        "error: b: too long (HTTP 400) [ContextLengthError]",
        "└── before that",
        "    └── a: down [ServerError]",
        "hint: shorten the prompt, or name a model that reads more with --model",
    ]


def test_no_more_than_three_hints(capsys: pytest.CaptureFixture[str]) -> None:
    """Many kinds of failure do not end in a page of advice."""
    several = [cls("it failed", provider="a") for cls in PROVIDER_ERRORS]
    explain(errors.AllProvidersFailed("all failed", several, "r"), Terminal())
    assert capsys.readouterr().err.count("hint: ") == 3


def test_control_characters_of_a_provider_are_taken_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What a server says in an error cannot steer the terminal, nor is it markup."""
    explain(errors.ServerError("\x1b[2Jgone [bold]really[/bold]", provider="a"), Terminal())
    assert "error: a: [2Jgone [bold]really[/bold] [ServerError]\n" in capsys.readouterr().err


def test_who_is_at_fault() -> None:
    """Before anybody was asked it is the caller; a provider's own refusal is not."""
    asked = errors.InvalidRequestError("no")
    assert is_usage(asked)
    asked.attempts = (object(),)  # type: ignore[assignment]  # that there is one is enough
    assert not is_usage(asked)
    assert is_usage(errors.ConfigError(["a: b"]))
    assert not is_usage(errors.ServerError("down"))
    assert not is_usage(errors.LLMError("something"))


@pytest.mark.parametrize(
    ("failure", "code", "words"),
    [
        (errors.LLMError("something"), 1, "error: something\n"),
        (errors.ConfigError(["a: wrong"], "x.toml"), 2, "error: x.toml: a: wrong\n"),
        (OSError(28, "No space left on device"), 1, "error: cannot write: No space left"),
        (ZeroDivisionError("by zero"), 1, "error: unexpected ZeroDivisionError: by zero; `trio-"),
        (BrokenPipeError(), 0, ""),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_what_a_command_raises_becomes_words_and_a_code(
    capsys: pytest.CaptureFixture[str], failure: BaseException, code: int, words: str
) -> None:
    """No command ends in a traceback, not even for a defect of its own."""

    async def command() -> ExitCode:
        raise failure

    with pytest.raises(typer.Exit) as exit_info:
        finish(command, Terminal())
    assert exit_info.value.exit_code == code
    said = capsys.readouterr().err
    assert said.startswith(words)
    assert bool(said) == bool(words)


def test_main_gives_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    """The console script returns the code, for the interpreter to leave with."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("trio-llm ")
    assert main(["ask", "--via", "nobody", "hello"]) == 2
    assert main(["nonsense"]) == 2

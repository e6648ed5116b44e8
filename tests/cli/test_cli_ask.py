"""``trio-llm ask``: the answer on standard output, everything else on standard error."""

import json
import re

import pytest

from tests.cli.cli_runs import Cli, Process
from trio_llm.cli.terminal import printable


def test_without_key_and_configuration_the_first_line_says_simulated(cli: Cli) -> None:
    """The first line that a person sees says that no model is asked; the answer follows."""
    said = cli("ask", "What is an actor?")
    assert said.code == 0
    assert said.err.splitlines()[0].startswith("note: simulated providers answer")
    assert "OPENAI_API_KEY" in said.err
    assert said.out == "This is sim-2, a simulated provider. You asked: 'What is an actor?'.\n"


def test_summary_says_who_answered_and_how_the_others_ended(cli: Cli, quick: str) -> None:
    """A line names the winner, its latency and tokens, and the cancelled losers."""
    said = cli("ask", "-c", quick, "hello")
    assert said.out == "four pieces of text\n"
    last = said.err.splitlines()[-2]
    assert last.startswith("✓ quick (simulated) · ")
    assert " ms · first token " in last
    assert "tokens in, " in last
    assert last.endswith("cancelled: slow")


def test_words_of_a_prompt_need_no_quotes(cli: Cli) -> None:
    """Several arguments are one prompt."""
    said = cli("ask", "--no-stream", "--via", "sim-2", "what", "is", "an", "actor")
    assert "You asked: 'what is an actor'" in said.out


@pytest.mark.parametrize("arguments", [["ask"], ["ask", "-"]])
def test_prompt_from_standard_input(cli: Cli, arguments: list[str]) -> None:
    """Without a prompt, or with a dash, it is read from standard input."""
    said = cli(*arguments, stdin="from a pipe\n")
    assert said.code == 0
    assert "You asked: 'from a pipe'" in said.out


@pytest.mark.parametrize("prompt", ["", "  \n"])
def test_empty_prompt_is_a_usage_error(cli: Cli, prompt: str) -> None:
    """An empty prompt is said in words, with the remedy, before anything is asked."""
    said = cli("ask", prompt)
    assert said.code == 2
    assert said.out == ""
    assert said.err == 'error: the prompt is empty; give one, such as "What is an actor?"\n'


def test_json_is_one_object_on_standard_output(cli: Cli, quick: str) -> None:
    """With --json standard output is one object with the reply, its usage and attempts."""
    said = cli("ask", "-c", quick, "--json", "hello")
    reply = json.loads(said.out)
    assert reply["text"] == "four pieces of text"
    assert reply["provider"] == "quick"
    assert reply["model"] == "simulated"
    assert reply["usage"]["total_tokens"] > 0
    assert 0 < reply["latency"] < 5
    assert reply["metadata"]["racing_winner"] == "quick"
    outcomes = {attempt["provider"]: attempt["outcome"] for attempt in reply["attempts"]}
    assert outcomes == {"quick": "succeeded", "slow": "cancelled"}
    assert "✓" not in said.err


def test_verbose_shows_the_attempts_as_a_tree(cli: Cli, quick: str) -> None:
    """With --verbose every attempt stands under its balancer, with times and outcome."""
    said = cli("ask", "-c", quick, "--verbose", "hello")
    tree = said.err.splitlines()[-3:]
    assert tree[0] == "fast race"
    assert re.match(r"├── quick succeeded \d+ ms to \d+ ms", tree[1])
    assert "first token after" in tree[1]
    assert re.match(r"└── slow cancelled \d+ ms to \d+ ms", tree[2])
    assert tree[2].endswith("lost the race to 'quick'")


def test_verbose_of_a_single_provider(cli: Cli, quick: str) -> None:
    """A provider that is asked by itself has its attempts listed, too."""
    said = cli("ask", "-c", quick, "--verbose", "--via", "quick", "hello")
    assert said.err.splitlines()[-2] == "attempts"
    assert said.err.splitlines()[-1].startswith("└── quick succeeded")


def test_race_of_named_providers(cli: Cli) -> None:
    """With --race just the named ones are asked, whatever the default is."""
    said = cli("ask", "--race", "sim-1, sim-3", "--json", "hello")
    reply = json.loads(said.out)
    assert reply["provider"] == "sim-3"
    assert [attempt["provider"] for attempt in reply["attempts"]] == ["sim-1", "sim-3"]


def test_options_reach_the_request(cli: Cli, quick: str) -> None:
    """The options of a request are passed on; a model that a provider was told is used."""
    said = cli(
        *("ask", "-c", quick, "--json", "--via", "quick", "--model", "other"),
        *("--max-tokens", "5", "--temperature", "0.5", "--system", "Be brief.", "hello"),
    )
    assert json.loads(said.out)["model"] == "other"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--via", "simm"], 'none is named "simm"; did you mean "sim-3"?'),
        (["--race", "sim-1,nobody"], 'no provider named "nobody"'),
        (["--race", ","], "it names nobody"),
        (["--race", "sim-1", "--via", "sim-2"], "--via and --race exclude each other"),
        (["-c", "nowhere.toml"], "no such file; `trio-llm config init` writes a first one"),
        (["--max-tokens", "0"], "--max-tokens"),
        (["--temperature", "warm"], "--temperature"),
    ],
)
def test_wrong_usage_is_said_in_words(cli: Cli, arguments: list[str], words: str) -> None:
    """What cannot be done is said with the remedy, ends with 2, and writes no answer."""
    said = cli("ask", *arguments, "hello")
    assert said.code == 2
    assert words in said.err
    assert "Traceback" not in said.err
    assert said.out == ""


def test_model_that_nobody_serves(cli: Cli, quick: str) -> None:
    """A model that no member of a balancer serves is the caller's mistake."""
    said = cli("ask", "-c", quick, "--model", "gpt-4", "hello")
    assert said.code == 2
    assert "no member serves the model 'gpt-4'" in said.err
    assert "hint: name another model with --model" in said.err


def test_failures_are_a_small_tree_with_remedies(cli: Cli, failing: str) -> None:
    """When all fail, every cause stands in the shape of the call tree, then the remedies."""
    said = cli("ask", "-c", failing, "hello")
    assert said.code == 1
    assert said.out == ""
    assert said.err.splitlines()[1:] == [
        "error: all members of 'reliable' failed",
        "├── fast: all its members failed",
        "│   ├── quick: a simulated failure [ServerError]",
        "│   └── steady: a simulated failure [AuthenticationError]",
        "└── spare: a simulated failure [RateLimitError]",
        "hint: try again in a while, or race several providers with --race",
        "hint: check the key; `trio-llm status` shows which variable a provider reads",
        "hint: wait, or add a provider to fall back on",
    ]


def test_a_failing_provider_alone(cli: Cli, failing: str) -> None:
    """A single failure is one line and its remedy."""
    said = cli("ask", "-c", failing, "--via", "steady", "--json", "hello")
    assert said.code == 1
    assert said.out == ""
    assert "error: steady: a simulated failure [AuthenticationError]\nhint: check" in said.err


def test_debug_adds_the_traceback(cli: Cli, failing: str) -> None:
    """A traceback is shown only when it is asked for."""
    assert "Traceback" not in cli("ask", "-c", failing, "hello").err
    assert "Traceback" in cli("--debug", "ask", "-c", failing, "hello").err


def test_real_process_keeps_the_streams_apart(process: Process, quick: str) -> None:
    """Through the real entry point the answer alone is on standard output, without colour."""
    done = process("ask", "-c", quick, "hello")
    assert done.returncode == 0
    assert done.stdout == "four pieces of text\n"
    assert "\x1b" not in done.stderr


def test_colour_is_forced_or_refused_by_the_environment(process: Process, quick: str) -> None:
    """FORCE_COLOR colours what goes into a pipe; NO_COLOR and a pipe do not."""
    assert "\x1b[" in process("ask", "-c", quick, "hello", FORCE_COLOR="1").stderr
    assert "\x1b[3" not in process("ask", "-c", quick, "hello", NO_COLOR="1").stderr


def test_what_steers_a_terminal_is_taken_out() -> None:
    """Control characters of an answer never reach a terminal; line ends and tabs do."""
    assert printable("a\x1b[2Jb\x07\x9bc\td\n") == "a[2Jbc\td\n"


def test_an_option_that_no_request_can_have(cli: Cli) -> None:
    """It is said in plain words, like everything else that is wrong with a request."""
    said = cli("ask", "--temperature", "inf", "hello")
    assert said.code in {1, 2}
    assert "temperature must be a finite number" in said.err
    assert "unexpected" not in said.err

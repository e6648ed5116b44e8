"""``trio-llm ask`` of several at once: hedge, consensus, fallback, and how a race is decided."""

import json
import re
from pathlib import Path

import pytest

from tests.cli.cli_runs import Cli, Process
from trio_llm.cli.several import HEDGE_DELAY, Whom
from trio_llm.config import Config, Hedge, Provider, Race, check

JURY = """
default = "top"
[providers.anna]
kind = "simulated"
simulation = { latency = 0.02, text = "Paris, it is." }
[providers.otto]
kind = "simulated"
simulation = { latency = 0.03, text = "paris it is" }
[providers.olga]
kind = "simulated"
simulation = { latency = 0.001, text = "Lyon" }
[providers.late]
kind = "simulated"
simulation = { latency = 30 }
[providers.sick]
kind = "simulated"
simulation = { latency = 0.001, failure_rate = 1.0 }
[balancers.top]
kind = "fallback"
members = ["sick"]
"""


@pytest.fixture
def jury(tmp_path: Path) -> str:
    """Write providers of whom two agree, one differs, one never comes and one fails."""
    path = tmp_path / "jury.toml"
    path.write_text(JURY)
    return str(path)


def remarks(text: str) -> list[str]:
    """Give what was said after the line on who answered, without the space around it."""
    lines = text.splitlines()
    start = next(index for index, line in enumerate(lines) if line[:2] in {"✓ ", "! "})
    return [" ".join(line.split()) for line in lines[start + 1 :]]


def test_race_says_who_was_first(cli: Cli, jury: str) -> None:
    """A race that the first one wins is told in a line, with the time that it took."""
    said = cli("ask", "-c", jury, "--race", "late,olga", "Where?")
    assert said.out == "Lyon\n"
    (why,) = remarks(said.err)
    assert re.fullmatch(r"race: olga was first, after \d+ ms", why)


@pytest.mark.parametrize("strategy", ["weighted", "quality"])
def test_race_by_scores_says_them(cli: Cli, jury: str, strategy: str) -> None:
    """A race that scores decide says the scores of those who had an answer in time."""
    said = cli("ask", "-c", jury, "--race", "anna,otto", "--strategy", strategy, "Where?")
    assert said.code == 0
    (why,) = remarks(said.err)
    assert re.fullmatch(
        r"race: (anna|otto) won, ready after \d+ ms · scores: anna [\d.]+, otto [\d.]+", why
    )
    reply = json.loads(
        cli("ask", "-c", jury, "--race", "anna,otto", "--strategy", strategy, "--json", "?").out
    )
    assert set(reply["metadata"]["racing_scores"]) == {"anna", "otto"}


def test_hedge_that_was_needed(cli: Cli, jury: str) -> None:
    """It is said after how long nobody had answered, who was asked then, and who was first."""
    said = cli("ask", "-c", jury, "--hedge", "late,olga", "--delay", "0.05", "Where?")
    assert said.out == "Lyon\n"
    assert remarks(said.err) == [
        "hedge: no answer after 50 ms, so olga was asked, too",
        "hedge: olga answered first",
    ]


def test_hedge_that_was_not_needed(cli: Cli, jury: str) -> None:
    """An answer in time says so; in JSON it is in the metadata."""
    arguments = ("ask", "-c", jury, "--hedge", "olga,late", "--delay", "20")
    assert remarks(cli(*arguments, "Where?").err) == [
        "hedge: olga answered in time, so nobody else was asked"
    ]
    metadata = json.loads(cli(*arguments, "--json", "Where?").out)["metadata"]
    assert (metadata["hedge_provider"], metadata["hedged"]) == ("olga", False)


def test_consensus_shows_the_votes(cli: Cli, jury: str) -> None:
    """Groups, members and weights are a small table, the winner first."""
    said = cli(
        *("ask", "-c", jury, "--consensus", "anna,otto,olga"),
        *("--strategy", "similarity", "Where?"),
    )
    assert said.out == "Paris, it is.\n"
    assert remarks(said.err) == [
        "consensus: 67% of the weight agree",
        "who agree votes weight",
        "anna, otto 2 2 won",
        "olga 1 1",
    ]


def test_consensus_in_which_no_two_agree(cli: Cli, jury: str) -> None:
    """That it was the order that decided is not passed off as a majority."""
    said = cli("ask", "-c", jury, "--consensus", "anna,olga", "Where?")
    assert remarks(said.err)[0] == (
        "consensus: no two agree, so weight decided, and then the order"
    )
    votes = json.loads(cli("ask", "-c", jury, "--consensus", "anna,olga", "--json", "?").out)
    assert [group["names"] for group in votes["metadata"]["consensus_votes"]] == [
        ["anna"],
        ["olga"],
    ]


def test_fallback_says_from_whom_and_why(cli: Cli, jury: str) -> None:
    """Every member that was passed over is named with its error."""
    said = cli("ask", "-c", jury, "--fallback", "sick,olga", "Where?")
    assert said.out == "Lyon\n"
    assert remarks(said.err) == ["fallback: fell back from sick (a simulated failure)"]


def test_several_need_not_be_in_the_file(cli: Cli) -> None:
    """The balancer of the environment's own may be a member, too."""
    said = cli("ask", "--fallback", "default,sim-1", "--json", "hello")
    assert said.code == 0, said.err
    assert json.loads(said.out)["attempts"][0]["path"] == ["fallback", "default", "sim-1"]


def test_degraded_reply_is_marked(process: Process, cli: Cli, tmp_path: Path) -> None:
    """What stands in for an answer is said in yellow, with the error; JSON has it, too."""
    path = tmp_path / "degraded.toml"
    path.write_text(JURY + '[degradation]\nreply = "We are out."\n')
    done = process("ask", "-c", str(path), "Where?", FORCE_COLOR="1")
    assert done.returncode == 0
    assert done.stdout == "We are out.\n"
    assert "\x1b[33mdegraded (default): a text that was set, since all members" in done.stderr
    assert "✓" not in done.stderr
    reply = json.loads(cli("ask", "-c", str(path), "--json", "Where?").out)
    assert reply["degraded"] == "default"
    assert "a simulated failure" in reply["metadata"]["degraded_error"]


def test_only_the_default_is_degraded(cli: Cli, tmp_path: Path) -> None:
    """Who asks one by its name wants to know how it fares; a race of the call is the default."""
    path = tmp_path / "degraded.toml"
    path.write_text(JURY + '[degradation]\nreply = "We are out."\n')
    assert cli("ask", "-c", str(path), "--via", "sick", "Where?").code == 1
    assert cli("ask", "-c", str(path), "--race", "sick", "Where?").code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--race", "anna", "--hedge", "otto"],
            "--race and --hedge exclude each other; give one of them",
        ),
        (
            ["--via", "anna", "--consensus", "otto", "--fallback", "olga"],
            "--via, --consensus and --fallback exclude each other; give one of them",
        ),
        (
            ["--race", "anna", "--strategy", "qualty"],
            '--strategy: no way to decide a race "qualty"; did you mean "quality"?',
        ),
        (
            ["--consensus", "anna", "--strategy", "xyz"],
            '--strategy: no way to count votes "xyz"; known are majority, similarity',
        ),
        (
            ["--hedge", "anna", "--strategy", "quality"],
            "--strategy is that of a race or a consensus; give --race or --consensus too",
        ),
        (["--delay", "1"], "--delay is that of a hedge; give --hedge too, or leave it out"),
        (
            ["--hedge", "anna,otta"],
            '--hedge: no provider named "otta"; did you mean "otto"?',
        ),
        (["--race", "anna,anna"], '--race: "anna" is named twice; name it once'),
        (["--fallback", " , "], "--fallback: it names nobody; give names with commas between"),
        (
            ["--on-interrupt", "resum"],
            '--on-interrupt: no policy "resum"; did you mean "resume"?',
        ),
    ],
)
def test_wrong_words_are_met_with_the_right_ones(
    cli: Cli, jury: str, arguments: list[str], words: str
) -> None:
    """What does not go together, or is no known word, ends with 2 before anybody is asked."""
    said = cli("ask", "-c", jury, *arguments, "Where?")
    assert said.code == 2
    assert f"error: {words}" in said.err
    assert said.out == ""


def test_help_names_every_way(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """The help has the new options, their words and an example of each."""
    monkeypatch.setenv("COLUMNS", "100")
    shown = " ".join(cli("ask", "--help").out.split())
    for word in (
        "--hedge openai,anthropic --delay 0.8",
        "--consensus openai,anthropic,gemini",
        "--fallback openai,local --on-interrupt resume",
        "--race openai,anthropic --strategy quality",
        "first_wins, weighted",
        "restart",
    ):
        assert word in shown


def test_hedge_of_one_call_is_not_held_back() -> None:
    """The caps are shares of many calls; a hedge that was asked for by hand has none."""
    config = Config(providers={"a": Provider("simulated"), "b": Provider("simulated")})
    made = Whom(hedge="a,b").applied(config).default
    assert isinstance(made, Hedge)
    assert (made.delay, made.max_extra_calls, made.max_extra_cost) == (HEDGE_DELAY, 1.0, 1.0)


def test_name_of_the_new_balancer_is_a_free_one() -> None:
    """A configuration that has a `race` already keeps it, as a possible member."""
    config = Config(
        providers={"a": Provider("simulated")}, balancers={"race": Race(("a",))}, default="race"
    )
    plan = check(Whom(race="race,a").applied(config))
    assert plan.default == "race-"
    assert plan.balancers["race-"].members == ("race", "a")

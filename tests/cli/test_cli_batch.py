"""``trio-llm batch``: every line gets one outcome, and nothing is asked twice."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.cli.cli_runs import Cli, Process, at_a_terminal, read_rest, read_until


@attrs.frozen
class Bench:
    """A folder with a batch in it.

    Attributes:
        folder: The folder.
    """

    folder: Path

    def config(self, **options: Any) -> str:
        """Write a configuration with one provider that notes down what it is asked."""
        path = self.folder / "batch.toml"
        given = {"log": str(self.folder / "asked.txt")} | options
        table = ", ".join(f"{key} = {json.dumps(value)}" for key, value in given.items())
        path.write_text(
            '[providers.recorder]\nkind = "custom"\nmax_concurrency = 64\n'
            f'class = "tests.cli.batch_provider:Recorder"\noptions = {{ {table} }}\n'
        )
        return str(path)

    def source(self, *lines: object) -> str:
        """Write the input: strings as they are, all else as JSON."""
        path = self.folder / "in.jsonl"
        text = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        path.write_text("\n".join(text) + "\n")
        return str(path)

    @property
    def output(self) -> str:
        """The path of the output."""
        return str(self.folder / "out.jsonl")

    @property
    def outcomes(self) -> dict[int, dict[str, Any]]:
        """The outcomes by line; a line that has two of them fails the test."""
        found: dict[int, dict[str, Any]] = {}
        for raw in Path(self.output).read_bytes().splitlines():
            record = json.loads(raw)
            assert record["line"] not in found
            found[record["line"]] = record
        return found

    @property
    def asked(self) -> Counter[str]:
        """How often each prompt was asked."""
        path = self.folder / "asked.txt"
        return Counter(path.read_text().splitlines() if path.exists() else ())


DIARY = "my diary, with no end of line"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Give a folder for a batch."""
    return Bench(tmp_path)


def test_each_line_gets_its_outcome(cli: Cli, bench: Bench) -> None:
    """Strings, prompts and messages are asked; the outcome has the line, its id and the usage."""
    messages = [{"role": "system", "content": "x"}, {"role": "user", "content": "three"}]
    source = bench.source(
        '"one"', {"id": "b", "prompt": "two", "max_tokens": 5}, "", {"messages": messages}
    )
    said = cli("batch", source, "-o", bench.output, "-c", bench.config())
    assert said.code == 0, said.err
    outcomes = bench.outcomes
    assert {line: record["text"] for line, record in outcomes.items()} == {
        1: "ONE",
        2: "TWO",
        4: "THREE",
    }
    assert outcomes[2]["id"] == "b"
    assert outcomes[1]["provider"] == "recorder"
    assert "3 answered, 0 failed" in said.err


def test_bad_lines_are_named_and_the_rest_goes_on(cli: Cli, bench: Bench) -> None:
    """A malformed line has its number, place and remedy in both outputs; others are answered."""
    source = bench.source(
        '"good"',
        "{broken",
        "[1]",
        {"prompt": "x", "temprature": 1},
        {"prompt": "x", "max_tokens": 0},
        {"messages": [{"role": "robot", "content": "x"}]},
        {"id": "f", "prompt": "please fail"},
        {"prompt": ""},
        '"also good"',
    )
    said = cli("batch", source, "-o", bench.output, "-c", bench.config())
    assert said.code == 1
    outcomes = bench.outcomes
    assert sorted(outcomes) == list(range(1, 10))
    errors = {line: record["error"] for line, record in outcomes.items() if "error" in record}
    assert sorted(errors) == list(range(2, 9))
    assert "line 2: not JSON" in errors[2]["message"]
    assert "found a list" in errors[3]["message"]
    assert 'did you mean "temperature"?' in errors[4]["message"]
    assert errors[5]["message"] == "line 5: max_tokens must be at least 1, not 0"
    assert "messages[0].role" in errors[6]["message"]
    assert errors[7]["class"] == "ServerError"
    assert bench.outcomes[7]["id"] == "f"
    assert "the prompt is empty" in errors[8]["message"]
    for number in (2, 3, 4, 5, 6, 7, 8):
        assert f"line {number}: " in said.err
    assert "2 answered, 7 failed" in said.err


def test_a_second_run_asks_nothing(cli: Cli, bench: Bench) -> None:
    """What has an outcome is not asked again, failures included."""
    source = bench.source('"one"', '"fail"', "{broken")
    arguments = ("batch", source, "-o", bench.output, "-c", bench.config())
    cli(*arguments)
    again = cli(*arguments)
    assert again.code == 0
    assert "0 answered, 0 failed, 3 were there before" in again.err
    assert bench.asked == {"one": 1, "fail": 1}
    assert len(bench.outcomes) == 3


def test_failures_are_asked_again_on_demand(cli: Cli, bench: Bench) -> None:
    """With --retry-failed only the lines that failed are asked, and each keeps one outcome."""
    source = bench.source('"one"', '"fail"')
    arguments = ("batch", source, "-o", bench.output, "-c", bench.config())
    cli(*arguments)
    assert cli(*arguments, "--retry-failed").code == 1
    assert cli(*arguments, "--retry-failed").code == 1
    assert bench.asked == {"one": 1, "fail": 3}
    assert sorted(bench.outcomes) == [1, 2]
    assert list(bench.folder.glob(".*")) == []
    assert cli(*arguments).code == 0


def test_a_line_that_failed_may_be_mended(cli: Cli, bench: Bench) -> None:
    """A changed line is asked again if it had failed, on demand and not unasked."""
    source = bench.source('"one"', "{broken")
    arguments = ("batch", source, "-o", bench.output, "-c", bench.config())
    cli(*arguments)
    bench.source('"one"', '"mended"')
    said = cli(*arguments)
    assert said.code == 2
    assert "give --retry-failed to ask it again" in said.err
    assert cli(*arguments, "--retry-failed").code == 0
    assert bench.outcomes[2]["text"] == "MENDED"
    assert bench.asked == {"one": 1, "mended": 1}


def test_old_outcomes_of_one_line_become_one(cli: Cli, bench: Bench) -> None:
    """Where a line has several outcomes the last one counts, and asking again leaves that."""
    source = bench.source('"one"', '"fail"')
    arguments = ("batch", source, "-o", bench.output, "-c", bench.config())
    cli(*arguments)
    first, second = sorted(Path(bench.output).read_bytes().splitlines(keepends=True))
    Path(bench.output).write_bytes(second + first + second + first)
    assert cli(*arguments, "--retry-failed").code == 1
    assert sorted(bench.outcomes) == [1, 2]
    assert bench.asked == {"one": 1, "fail": 2}


def test_an_outcome_that_was_cut_is_asked_anew(cli: Cli, bench: Bench) -> None:
    """Half a line at the end of the output, as a crash leaves it, is taken off."""
    source = bench.source('"one"', '"two"')
    arguments = ("batch", source, "-o", bench.output, "-c", bench.config(), "--limit", "1")
    cli(*arguments)
    whole = Path(bench.output).read_bytes()
    Path(bench.output).write_bytes(whole[:-10])
    assert cli(*arguments).code == 0
    assert bench.asked == {"one": 1, "two": 2}
    assert sorted(bench.outcomes) == [1, 2]


def test_a_whole_outcome_without_an_end_is_kept(cli: Cli, bench: Bench) -> None:
    """A last line whose end an editor took away counts, and the next does not join it."""
    source = bench.source('"one"', '"two"', '"three"')
    arguments = ("batch", source, "-o", bench.output, "-c", bench.config(), "--limit", "1")
    cli(*arguments)
    lines = Path(bench.output).read_bytes().splitlines()
    reordered = json.dumps(dict(reversed(json.loads(lines[1]).items()))).encode()
    for last in (lines[1], reordered):
        Path(bench.output).write_bytes(lines[0] + b"\n" + last)
        assert cli(*arguments).code == 0
        assert sorted(bench.outcomes) == [1, 2, 3]
    assert bench.asked == {"one": 1, "two": 1, "three": 3}


def test_an_input_that_was_changed_is_noticed(cli: Cli, bench: Bench) -> None:
    """An outcome that belongs to another text stops the batch before anything is asked."""
    arguments = ("batch", bench.source('"one"'), "-o", bench.output, "-c", bench.config())
    cli(*arguments)
    bench.source('"another"', '"two"')
    said = cli(*arguments)
    assert said.code == 2
    assert "line 1 belongs to another text" in said.err
    assert bench.asked == {"one": 1}
    assert cli(*arguments, "--fresh").code == 0
    assert bench.asked == {"one": 1, "another": 1, "two": 1}


@pytest.mark.parametrize("end", ["\n", ""])
def test_a_file_that_is_no_output_is_left_alone(cli: Cli, bench: Bench, end: str) -> None:
    """A file of something else is refused with the remedy, and not written to."""
    Path(bench.output).write_text(DIARY + end)
    said = cli("batch", bench.source('"one"'), "-o", bench.output, "-c", bench.config())
    assert said.code == 2
    assert "no outcome of a batch" in said.err
    assert Path(bench.output).read_text() == DIARY + end
    assert not bench.asked


@pytest.mark.parametrize("fresh", [(), ("--fresh",)])
def test_the_input_is_no_output(cli: Cli, bench: Bench, fresh: tuple[str, ...]) -> None:
    """One file for both is refused, even under another name, and stays as it is."""
    source = bench.source('"one"')
    link = bench.folder / "link.jsonl"
    link.symlink_to(source)
    for output in (source, str(link)):
        said = cli("batch", source, "-o", output, "-c", bench.config(), *fresh)
        assert said.code == 2
        assert "is the input, too; give another -o" in said.err
    assert Path(source).read_text() == '"one"\n'
    assert not bench.asked


@pytest.mark.parametrize(
    ("output", "fault"),
    [
        ("nowhere/out.jsonl", "cannot be opened (No such file or directory); give another -o"),
        ("/dev/full", "/dev/full: no regular file"),
        ("-", "-o -: the output must be a file"),
    ],
)
def test_an_output_that_can_be_none_is_refused(
    cli: Cli, bench: Bench, monkeypatch: pytest.MonkeyPatch, output: str, fault: str
) -> None:
    """The message names it and the remedy; nothing is asked, and no file is made."""
    config, source = bench.config(), bench.source('"one"')
    monkeypatch.chdir(bench.folder)
    said = cli("batch", source, "-o", output, "-c", config)
    assert said.code == 2
    assert fault in said.err
    assert not bench.asked
    assert sorted(path.name for path in bench.folder.iterdir()) == ["batch.toml", "in.jsonl"]


def test_an_input_that_cannot_be_read_is_refused(cli: Cli, bench: Bench) -> None:
    """A missing file and a folder are named; no output is made."""
    for source in (str(bench.folder / "none.jsonl"), str(bench.folder)):
        said = cli("batch", source, "-o", bench.output, "-c", bench.config())
        assert said.code == 2
        assert said.err.startswith(f"error: {source} cannot be read: ")
    assert not Path(bench.output).exists()


def test_a_wrong_name_costs_no_answer(cli: Cli, bench: Bench) -> None:
    """With --fresh the output is dropped only once everything else has proved right."""
    arguments = ("batch", bench.source('"one"'), "-o", bench.output, "-c", bench.config())
    cli(*arguments)
    assert cli(*arguments, "--fresh", "--via", "nobody").code == 2
    assert bench.outcomes[1]["text"] == "ONE"
    assert cli(*arguments, "--fresh", "--retry-failed").code == 2
    assert bench.outcomes[1]["text"] == "ONE"


@pytest.mark.parametrize("named", ["-", "/dev/stdin"])
def test_a_pipe_is_read_once_and_asked_whole(
    bench: Bench, environment: dict[str, str], named: str
) -> None:
    """What a pipe gives is kept until it has been asked, and goes on like a file."""
    command = [sys.executable, "-m", "trio_llm", "batch", named, "-o", bench.output]
    command += ["-c", bench.config(), "--retry-failed"]
    for attempts in (1, 2):
        done = subprocess.run(  # noqa: S603 - our own command
            command, input=b'"one"\n"fail"\n', env=environment, check=False, timeout=60
        )
        assert done.returncode == 1
        assert bench.asked == {"one": 1, "fail": attempts}
        assert sorted(bench.outcomes) == [1, 2]


def test_other_encodings_are_told(cli: Cli, bench: Bench) -> None:
    """A mark at the beginning of UTF-8 is skipped, and other bytes are no JSON but a fault."""
    source = Path(bench.source())
    source.write_bytes(b'\xef\xbb\xbf"one"\n\xff\xfe"\x00\n')
    cli("batch", str(source), "-o", bench.output, "-c", bench.config())
    assert bench.outcomes[1]["text"] == "ONE"
    assert "line 2: not UTF-8; save the input" in bench.outcomes[2]["error"]["message"]


def test_two_batches_do_not_share_an_output(process: Process, bench: Bench) -> None:
    """While one batch writes, a second one on the same output is refused."""
    fcntl = pytest.importorskip("fcntl")
    with Path(bench.output).open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = process("batch", bench.source('"one"'), "-o", bench.output, "-c", bench.config())
    assert done.returncode == 2
    assert "another batch is writing to it" in done.stderr
    assert not bench.asked


@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGKILL])
def test_it_goes_on_where_it_stopped(
    bench: Bench, environment: dict[str, str], process: Process, blow: signal.Signals
) -> None:
    """Interrupted or killed, it is run again, and no line with an outcome is asked twice."""
    count, limit = 60, 4
    bell = bench.folder / "bell"
    os.mkfifo(bell)
    source = bench.source(*[json.dumps(f"prompt {number}") for number in range(count)])
    arguments = ["batch", source, "-o", bench.output, "--limit", str(limit)]
    with subprocess.Popen(  # noqa: S603 - our own command
        [
            sys.executable,
            "-m",
            "trio_llm",
            *arguments,
            "-c",
            bench.config(hang_after=20, bell=str(bell)),
        ],
        env=environment,
        stderr=subprocess.PIPE,
    ) as command:
        bell.read_bytes()  # blocks until it rings
        command.send_signal(blow)
        _, complaints = command.communicate(timeout=30)
    assert command.returncode == (130 if blow is signal.SIGINT else -blow)
    if blow is signal.SIGINT:
        assert b"run the same command again" in complaints
    before = set(bench.outcomes)
    assert before
    again = process(*arguments, "-c", bench.config())
    assert again.returncode == 0, again.stderr
    outcomes = bench.outcomes
    assert sorted(outcomes) == list(range(1, count + 1))
    asked = bench.asked
    assert all(asked[f"prompt {line - 1}"] == 1 for line in before)
    assert max(asked.values()) <= 2
    assert sum(asked.values()) <= count + limit


def test_a_bar_for_those_who_look(bench: Bench, environment: dict[str, str]) -> None:
    """At a terminal a bar shows the count, the rate, the cost, the tokens and the time left."""
    source = bench.source(*[json.dumps(f"prompt {number}") for number in range(30)])
    command, terminal = at_a_terminal(
        ["batch", source, "-o", bench.output, "-c", bench.config(pause=0.1), "--limit", "3"],
        environment | {"COLUMNS": "120"},
    )
    seen = read_until(terminal, b" left")
    seen += read_rest(terminal)
    assert command.wait(20) == 0
    text = seen.decode()
    assert "/30" in text
    assert "/s · " in text
    assert "cost unknown" in text
    assert " tokens" in text
    assert "30 answered, 0 failed" in text
    assert os.path.getsize(bench.output) > 0  # noqa: PTH202 - a size is a size

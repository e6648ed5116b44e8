"""The performance file: what is known of providers outlives the runtime; nothing fails by it."""

import errno
import logging
import math
import os
import random
import threading
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.guarantees.scenes import Cast
from tests.policy.nearness import near
from trio_llm import (
    BreakerSettings,
    Config,
    ConfigError,
    Fallback,
    LLMError,
    LoadBalance,
    Provider,
    Race,
    Runtime,
    Simulation,
    events,
    open_runtime,
)
from trio_llm.config.schema import Member
from trio_llm.config.settings import CooldownSettings
from trio_llm.history import file as file_module
from trio_llm.history import loading
from trio_llm.history.form import read, written
from trio_llm.policy.history import MOST_RECORDS, Identity, Record
from trio_llm.testing import Answers, Crashes, Fails, Step, World, explore, run, seeds

NEVER_RESTS = CooldownSettings(after_failures=1000)
DAY = 86_400.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the place of a performance file that is not there yet."""
    return tmp_path / "performance.toml"


def _config(path: Path, member: Member | None = None, **settings: Any) -> Config:
    tree = Cast().provider("house", Answers(after=1.0)) if member is None else member
    return Config(default=tree, performance_file=str(path), **settings)


def _records(path: Path) -> dict[str, Record]:
    found, dropped = read(path.read_bytes())
    assert dropped == 0
    return {record.identity.name: record for record in found}


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _is_there(path: Path) -> bool:
    return path.exists()


def _number(path: Path) -> int:
    """Give what tells a file from another of the same name."""
    return path.stat().st_ino


async def _ask(llm: Runtime, times: int = 1) -> None:
    for _ in range(times):
        try:
            await llm.generate("hello")
        except LLMError:
            continue


def _race(*, slow: Any, quick: Any) -> Race:
    cast = Cast()
    return Race(
        [
            cast.provider("slow", slow, cooldown=NEVER_RESTS),
            cast.provider("quick", quick, cooldown=NEVER_RESTS),
        ],
        strategy="weighted",
        grace_period=1.0,
        name="race",
    )


def test_a_weighted_race_is_decided_by_the_record_of_the_last_run(path: Path) -> None:
    """After 200 races and a restart the first race goes to who won them, though it is slower."""

    async def scenario(world: World) -> None:
        able = {"slow": Answers("slow", after=0.3), "quick": Answers("quick", after=0.2)}
        async with world.open(Config(default=_race(**able))) as llm:
            assert (await llm.generate("hello")).text == "quick"
        history = _race(slow=able["slow"], quick=Fails(after=0.2))
        async with world.open(_config(path, history)) as llm:
            await _ask(llm, 200)
        await trio.sleep(DAY / 2)
        async with world.open(_config(path, _race(**able))) as llm:
            reply = await llm.generate("hello")
        assert reply.text == "slow"
        assert reply.metadata["racing_scores"]["slow"] > 0.65
        assert reply.metadata["racing_scores"]["quick"] < 0.05

    run(scenario)


def test_an_order_by_latency_begins_with_the_quicker_one(path: Path) -> None:
    """Where a new runtime would draw, one with a history asks the quicker member first."""
    chosen: dict[bool, set[str]] = {False: set(), True: set()}

    async def scenario(world: World) -> None:
        cast = Cast()
        pair = [
            cast.provider("slow", Answers(after=3.0)),
            cast.provider("quick", Answers(after=0.5)),
        ]
        spread = LoadBalance(pair, strategy="least_latency", name="spread")
        _remove(path)
        async with world.open(_config(path, spread)) as llm:
            chosen[False].add((await llm.generate("hello")).provider)
            for name in ("slow", "quick", "slow", "quick"):
                await llm.provider(name).generate("hello")
        await trio.sleep(DAY)
        async with world.open(_config(path, spread)) as llm:
            chosen[True].add((await llm.generate("hello")).provider)

    explore(scenario, seeds=seeds(100))
    assert chosen == {False: {"slow", "quick"}, True: {"quick"}}


def test_an_adaptive_order_begins_with_the_sound_one(path: Path) -> None:
    """The adaptive order knows who failed in the last run; it explores another one now and then."""
    chosen: list[str] = []

    async def scenario(world: World) -> None:
        def spread(*steps: Any) -> LoadBalance:
            cast = Cast()
            pair = [
                cast.provider(name, step, cooldown=NEVER_RESTS)
                for name, step in zip(("moody", "sound"), steps, strict=True)
            ]
            return LoadBalance(pair, strategy="adaptive", name="spread")

        _remove(path)
        async with world.open(_config(path, spread(Fails(), Answers()))) as llm:
            for name in ("moody", "sound"):
                for _ in range(8):
                    try:
                        await llm.provider(name).generate("hello")
                    except LLMError:
                        continue
        async with world.open(_config(path, spread(Answers(), Answers()))) as llm:
            chosen.append((await llm.generate("hello")).provider)

    explored = explore(scenario, seeds=seeds(200))
    assert chosen.count("sound") >= 0.85 * len(explored)


def test_it_is_written_at_intervals_and_only_when_there_is_news(path: Path) -> None:
    """The first write comes an interval after the start; without an outcome there is no other."""

    async def scenario(world: World) -> None:
        async with world.open(_config(path, performance_interval=30.0)) as llm:
            await llm.generate("hello")
            await trio.sleep(28.0)
            assert not _is_there(path)
            await trio.sleep(2.0)
            assert _records(path)["house"].calls == 1.0
            first = _number(path)
            await trio.sleep(300.0)
            assert _number(path) == first
            await llm.generate("hello")
            await trio.sleep(30.0)
            assert _number(path) != first
            assert _records(path)["house"].calls > 1.9

    run(scenario)


def test_a_runtime_without_a_file_sets_no_timer(path: Path) -> None:
    """Where no file is named nothing is written, and virtual time stands still."""

    async def scenario(world: World) -> None:
        async with world.open(Config(default=Cast().provider("house", Answers()))) as llm:
            await llm.generate("hello")
            statistics = trio.lowlevel.current_statistics()
            assert statistics.seconds_to_next_deadline > 1e6

    run(scenario)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("ending", ["returns", "raises", "is_cancelled"])
def test_it_is_written_at_the_end_however_that_comes(path: Path, ending: str) -> None:
    """What the last calls have taught is on file when the runtime has closed."""

    async def scenario(world: World) -> None:
        scope = trio.CancelScope()
        try:
            with scope:
                async with world.open(_config(path)) as llm:
                    await llm.generate("hello")
                    if ending == "raises":
                        llm.provider("nobody")
                    if ending == "is_cancelled":
                        scope.cancel()
                        await trio.sleep_forever()
        except ConfigError:
            assert ending == "raises"
        assert scope.cancelled_caught is (ending == "is_cancelled")

    run(scenario)
    assert _records(path)["house"].calls == 1.0


def test_outcomes_of_the_drain_are_written_too(path: Path) -> None:
    """A call that ends while the runtime closes is known to the next one."""

    async def scenario(world: World) -> None:
        async with trio.open_nursery() as nursery:
            async with world.open(_config(path)) as llm:
                nursery.start_soon(_ask, llm)
                await trio.sleep(0.5)
            assert trio.current_time() == 1.0

    run(scenario)
    assert _records(path)["house"].latency == 1.0


def test_a_reload_may_move_the_file(path: Path) -> None:
    """The old file is written a last time; what is known goes along to the new one."""
    other = path.with_name("other.toml")

    async def scenario(world: World) -> None:
        house = Cast().provider("house", Answers(after=1.0))
        async with world.open(_config(path, house)) as llm:
            await llm.generate("hello")
            await llm.reload(_config(other, house))
            await trio.sleep(1.0)
            assert _records(path) == _records(other)
            await llm.generate("hello")
            await llm.reload(Config(default=house))
            await trio.sleep(1.0)
            assert _records(other)["house"].calls > 1.9
            assert _records(path)["house"].calls == 1.0
            await llm.generate("hello")
        assert _records(other)["house"].calls < 2.0

    run(scenario)


def test_a_reload_may_name_a_file_and_an_interval(path: Path) -> None:
    """A runtime that had none reads the file that it is given, and keeps to its interval."""
    path.write_bytes(written([Record(Identity("new", "custom"), 1_800_000_000.0, 50.0, 0.5)]))

    async def scenario(world: World) -> None:
        cast = Cast()
        house, new = (cast.provider(name, Answers()) for name in ("house", "new"))
        async with world.open(Config(default=house)) as llm:
            await llm.generate("hello")
            both = Fallback([house, new])
            await llm.reload(_config(path, both, performance_interval=10.0))
            statuses = {status.name: status for status in llm.status()}
            assert statuses["new"].success_rate == 0.5
            assert statuses["house"].success_rate == 1.0
            for interval in (10.0, 50.0):
                await llm.reload(_config(path, both, performance_interval=interval))
                await trio.sleep(1.0)
                before = _records(path)["house"].calls
                await llm.generate("hello")
                await trio.sleep(interval - 2.0)
                assert _records(path)["house"].calls == before
                await trio.sleep(3.0)
                assert _records(path)["house"].calls > before

    run(scenario)


def test_a_reload_keeps_the_record_of_who_has_changed(path: Path) -> None:
    """A provider with other settings goes on with its record; one of another kind does not."""

    async def scenario(world: World) -> None:
        cast = Cast()
        async with world.open(_config(path, cast.provider("house", Answers()))) as llm:
            await _ask(llm, 3)
            await llm.reload(_config(path, cast.provider("house", Answers(), max_concurrency=3)))
            await llm.generate("hello")
            assert llm.statistics().nodes["house"].requests == 4
            await trio.sleep(61.0)
            assert _records(path)["house"].calls > 3.9
            await llm.reload(_config(path, Provider("simulated", "house")))
            assert llm.status()[0].success_rate is None

    run(scenario)


def test_who_is_not_in_the_configuration_keeps_its_record(path: Path) -> None:
    """A provider that is disabled for a day is known when it comes back, by what that is worth."""

    async def scenario(world: World) -> None:
        def tree(*, enabled: bool) -> Fallback:
            cast = Cast()
            away = cast.provider("away", Answers(), enabled=enabled)
            return Fallback([away, cast.provider("house", Answers())])

        async with world.open(_config(path, tree(enabled=True))) as llm:
            await _ask(llm, 50)
        before = _records(path)["away"]
        await trio.sleep(DAY / 2)
        async with world.open(_config(path, tree(enabled=False))) as llm:
            await _ask(llm, 5)
        assert _records(path)["away"] == before
        await trio.sleep(DAY / 2)
        async with world.open(_config(path, tree(enabled=True))) as llm:
            assert llm.status()[0].success_rate == 1.0
            await llm.generate("hello")
        assert 0.0 <= before.calls / 2.0 + 1.0 - _records(path)["away"].calls < 0.5

    run(scenario)


def test_the_file_does_not_grow_without_end(path: Path) -> None:
    """Of more records than are kept, those of the longest unseen make room."""
    old = [
        Record(Identity(f"old-{number}", "openai"), 1_700_000_000.0 + number, 9.0, 1.0)
        for number in range(MOST_RECORDS)
    ]
    path.write_bytes(written(old))

    async def scenario(world: World) -> None:
        async with world.open(_config(path)) as llm:
            await llm.generate("hello")

    run(scenario)
    assert set(_records(path)) == {f"old-{n}" for n in range(1, MOST_RECORDS)} | {"house"}


DAMAGED: dict[str, tuple[bytes, str]] = {
    "no TOML": (b"version = 1\n[[node", "it is no TOML"),
    "no text": (b"\x00\xff\xfe", "it is no TOML"),
    "empty": (b"", "it has no version"),
    "newer": (b"version = 99\n", "it is of another version than 1"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_file_is_set_aside(
    path: Path, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is renamed, told of by a warning and an event, and the runtime begins a new one."""
    content, reason = DAMAGED[case]
    path.write_bytes(content)
    told: list[events.Event] = []

    async def scenario(world: World) -> None:
        house = Cast().provider("house", Answers())
        async with world.open(Config(default=house)) as llm:
            llm.subscribe(told.append)
            await llm.reload(_config(path, house))
            await llm.generate("hello")

    run(scenario)
    assert path.with_name("performance.toml.damaged").read_bytes() == content
    assert _records(path)["house"].calls == 1.0
    (aside,) = [event for event in told if isinstance(event, events.HistorySetAside)]
    assert aside.file == str(path)
    assert aside.reason.startswith(reason)
    assert aside.reason.endswith("it is now performance.toml.damaged")
    warned = [(record.name, record.getMessage()) for record in caplog.records]
    assert warned == [("trio_llm.runtime", f"{path}: {aside.reason}")]


def test_nothing_that_was_set_aside_is_lost(path: Path) -> None:
    """Where the name is taken, by a file or a directory, a number comes after it."""
    path.with_name("performance.toml.damaged").write_bytes(b"first")
    path.with_name("performance.toml.damaged-2").mkdir()
    path.write_bytes(b"third")

    async def scenario(world: World) -> None:
        async with world.open(_config(path)):
            pass

    run(scenario)
    assert path.with_name("performance.toml.damaged").read_bytes() == b"first"
    assert path.with_name("performance.toml.damaged-3").read_bytes() == b"third"
    assert not path.exists()


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=st.binary(max_size=60))
def test_no_file_stops_a_start(path: Path, content: bytes) -> None:
    """Whatever bytes are in the file: the runtime opens, answers and closes, and they remain."""
    for left in path.parent.iterdir():
        left.unlink()
    path.write_bytes(content)

    async def scenario(world: World) -> None:
        async with world.open(_config(path)) as llm:
            await llm.generate("hello")

    logging.getLogger("trio_llm.runtime").disabled = True
    try:
        run(scenario)
    finally:
        logging.getLogger("trio_llm.runtime").disabled = False
    assert _records(path)["house"].calls == 1.0
    assert content in [left.read_bytes() for left in path.parent.iterdir()]


def test_a_record_that_makes_no_sense_is_told_of(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One bad record of two is left out with a warning; the other is known."""
    good = written([Record(Identity("house", "custom"), 1_800_000_000.0, 9.0, 0.25)])
    path.write_bytes(good + b'[[node]]\nname = "bad"\n')

    async def scenario(world: World) -> None:
        async with world.open(_config(path)) as llm:
            assert llm.status()[0].success_rate == 0.25

    run(scenario)
    assert caplog.messages == [f"{path}: 1 records in it make no sense"]


def _make_directory(path: Path) -> None:
    path.mkdir()


def _make_pipe(path: Path) -> None:
    os.mkfifo(path)


def _make_loop(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize("make", [_make_directory, _make_pipe, _make_loop])
def test_what_is_no_file_stays_where_it_is(
    path: Path, make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A directory, a pipe or a circle of links is warned of, once, and never written to."""
    make(path)
    before = path.lstat()

    async def scenario(world: World) -> None:
        async with world.open(_config(path)) as llm:
            await llm.generate("hello")
            await trio.sleep(200.0)

    run(scenario)
    assert path.lstat().st_ino == before.st_ino
    assert list(path.parent.iterdir()) == [path]
    (message,) = caplog.messages
    assert message.startswith(f"{path}: it cannot be read (")
    assert message.endswith("; it is left as it is")


def test_a_file_that_may_not_be_read_stays_as_it_is(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without the permission to read there is a warning, and the file is not replaced."""
    path.write_bytes(b"of somebody else")

    def refuse(_path: Path, _mode: str) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    async def scenario(world: World) -> None:
        monkeypatch.setattr(Path, "open", refuse)
        async with world.open(_config(path)) as llm:
            monkeypatch.undo()
            await llm.generate("hello")

    run(scenario)
    assert path.read_bytes() == b"of somebody else"
    assert "it cannot be read ([Errno 13] Permission denied)" in caplog.text


def test_a_damaged_file_that_cannot_be_renamed_stays_as_it_is(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What cannot be set aside is not overwritten either, and no empty file is left."""
    path.write_bytes(b"precious")

    def refuse(_path: Path, _target: Path) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    async def scenario(world: World) -> None:
        monkeypatch.setattr(Path, "replace", refuse)
        async with world.open(_config(path)) as llm:
            monkeypatch.undo()
            await llm.generate("hello")

    run(scenario)
    assert path.read_bytes() == b"precious"
    assert list(path.parent.iterdir()) == [path]
    assert "and it cannot be renamed" in caplog.text


def test_a_full_disk_is_told_of_once(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The run goes on; the first failure is a warning, and so it is told when writing works."""
    caplog.set_level(logging.DEBUG, "trio_llm.runtime")

    def full(_path: Path, _content: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async def scenario(world: World) -> None:
        async with world.open(_config(path)) as llm:
            monkeypatch.setattr(file_module, "write_whole", full)
            for _ in range(5):
                await llm.generate("hello")
                await trio.sleep(60.0)
            monkeypatch.undo()
            await trio.sleep(60.0)
            assert _records(path)["house"].calls > 4.5

    run(scenario)
    told = [
        (record.levelname, record.getMessage().removeprefix(f"{path}: "))
        for record in caplog.records
        if str(path) in record.getMessage()
    ]
    assert told[0] == ("WARNING", "it cannot be written ([Errno 28] No space left on device)")
    assert [level for level, _ in told[1:]] == ["DEBUG"] * (len(told) - 2) + ["INFO"]
    assert told[-1][1] == "it can be written again"


def test_of_two_runtimes_the_last_to_write_wins(path: Path) -> None:
    """Two runtimes with one file never mix: it is what the one that closed last knew."""

    async def scenario(world: World) -> None:
        async with world.open(_config(path)) as one:
            async with world.open(_config(path)) as other:
                await _ask(other, 5)
                await trio.sleep(100.0)
            assert _records(path)["house"].calls > 4.0
            await _ask(one, 2)
        assert 1.9 < _records(path)["house"].calls < 2.0

    run(scenario)


def test_any_number_of_restarts_is_one_long_run(path: Path) -> None:
    """A history that was cut in pieces by restarts is that of one run."""

    async def lives(world: World, place: Path, pieces: int) -> dict[str, Record]:
        rng = random.Random(world.seed)
        for _ in range(pieces):
            cast = Cast()
            members: list[Member] = []
            for name in "ab":
                steps = [_either(rng) for _ in range(24 // pieces)]
                tolerant = BreakerSettings(minimum_calls=1000)
                members.append(cast.provider(name, steps, cooldown=NEVER_RESTS, breaker=tolerant))
            async with world.open(_config(place, Race(members, name="race"))) as llm:
                await _ask(llm, 24 // pieces)
        return _records(place)

    async def scenario(world: World) -> None:
        cut = await lives(world, path.with_name(f"{world.seed}-cut.toml"), 6)
        assert set(cut) == {"a", "b", "race"}
        # Races are told to all who take part; a call that lost says nothing of its member.
        assert cut["a"].races == cut["b"].races == near(_weight(24), rel=1e-3)
        assert cut["race"].calls == near(_weight(24), rel=1e-3)

    explore(scenario, seeds=seeds(100, least=4))


def _either(rng: random.Random) -> Step:
    steps: tuple[Step, ...] = (Answers(after=0.5), Fails(after=0.25))
    return rng.choice(steps)


def _weight(outcomes: int) -> float:
    """Give for how many so many outcomes count, the older ones for less."""
    return math.fsum(math.exp2(-age / 100.0) for age in range(outcomes))


def test_crashes_leave_a_file_that_can_be_read(path: Path) -> None:
    """Whatever happens to actors and callers, what is on file at any time is a history."""

    async def scenario(world: World) -> None:
        _remove(path)
        rng = random.Random(world.seed)
        kinds: list[Step] = [Answers(after=0.5), Fails(after=0.5), Crashes(), Crashes(actor=True)]
        cast = Cast()
        tree = Fallback(
            [cast.provider(name, rng.choices(kinds, k=30), cooldown=NEVER_RESTS) for name in "abc"]
        )
        async with world.open(_config(path, tree, performance_interval=1.0)) as llm:
            for _ in range(10):
                with trio.move_on_after(rng.choice([0.2, 5.0])):
                    await _ask(llm)
                if _is_there(path):
                    _records(path)
        _records(path)

    explore(scenario, seeds=seeds(200, share=40, least=5))


async def test_a_real_disk_does_not_hold_the_calls_up(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A write that hangs delays the end by no more than `close_deadline`, and is told of."""
    hangs, begun = threading.Event(), trio.Event()

    def hang(_path: Path, _content: bytes) -> None:
        trio.from_thread.run_sync(begun.set)
        hangs.wait()

    quick = Provider("simulated", "house", simulation=Simulation(latency=0.0))
    slow_disk = _config(path, quick, performance_interval=0.01, close_deadline=0.05)
    async with open_runtime(slow_disk) as llm:
        await llm.generate("hello")
        await trio.sleep(0.05)
        assert _records(path)["house"].calls == 1.0
        monkeypatch.setattr(file_module, "write_whole", hang)
        await llm.generate("hello")
        with trio.fail_after(5.0):
            await begun.wait()
        await llm.generate("hello")
        before = trio.current_time()
    assert trio.current_time() - before < 1.0
    hangs.set()
    assert caplog.messages == [f"{path}: it was not written in time; what is new is lost"]


async def test_reading_is_done_in_a_thread(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a real clock a slow disk does not stop the other tasks while a runtime opens."""
    threads: list[int] = []
    load = loading.load

    def noting(place: Path) -> loading.Loaded:
        threads.append(threading.get_ident())
        return load(place)

    monkeypatch.setattr(file_module, "load", noting)
    async with open_runtime(_config(path, Provider("simulated", "house"))):
        pass
    assert threads
    assert threading.get_ident() not in threads


def test_a_relative_path_stays_where_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is that of the directory in which the runtime was opened."""

    async def scenario(world: World) -> None:
        monkeypatch.chdir(path.parent)
        async with world.open(_config(Path(path.name))) as llm:
            monkeypatch.chdir("/")
            await llm.generate("hello")

    run(scenario)
    assert _records(path)["house"].calls == 1.0


def test_a_directory_that_is_gone_stops_no_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A relative path in a directory that has been deleted is warned of, no more."""

    async def scenario(world: World) -> None:
        gone = tmp_path / "gone"
        _enter(gone, monkeypatch)
        async with world.open(_config(Path("performance.toml"))) as llm:
            await llm.generate("hello")

    run(scenario)
    monkeypatch.undo()
    assert len(caplog.messages) == 1
    assert "it cannot be written" in caplog.text


def _enter(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Go to a directory that is gone at once."""
    place.mkdir()
    monkeypatch.chdir(place)
    place.rmdir()

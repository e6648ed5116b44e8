"""An election decides as early as can be, and never otherwise than all votes would."""

import itertools
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, ClassVar

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trio_llm.policy.similarity import canonical_value
from trio_llm.policy.votes import Agreement, Aligned, Ballot, Election, Exact, Group, Similar
from trio_llm.testing import seeds

NAMES = ("a", "b", "c", "d", "e")
WEIGHTS = st.one_of(st.just(1.0), st.sampled_from([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 1.0, 2.0, 5.0]))
Pair = frozenset[str]
Answers = Mapping[str, str]


@attrs.frozen
class Table:
    """Agreement by a list of pairs: anything can be drawn."""

    pairs: frozenset[Pair]
    transitive: ClassVar[bool] = False

    def same(self, a: Ballot, b: Ballot) -> bool:
        """Tell whether the pair is listed."""
        return frozenset((a.name, b.name)) in self.pairs


@attrs.frozen
class World:
    """An electorate in which some have answered, some never will, and some still may."""

    weights: Mapping[str, float]
    answers: Answers
    gone: frozenset[str]
    quorum: int

    @property
    def pending(self) -> list[str]:
        """Those who still may answer, in declared order."""
        return [name for name in self.weights if name not in self.answers and name not in self.gone]

    def election(self, agreement: Agreement, order: Sequence[str] | None = None) -> Election:
        """Hold the election so far, the votes in that order."""
        ranks = {name: rank for rank, name in enumerate(self.weights)}
        election = Election(
            [(name, ranks[name], weight) for name, weight in self.weights.items()],
            agreement=agreement,
            quorum=self.quorum,
        )
        for name in self.weights if order is None else order:
            if name in self.answers:
                text = self.answers[name]
                election.vote(Ballot(name, ranks[name], self.weights[name], text))
            elif name in self.gone:
                election.abstain(name)
        return election


@st.composite
def worlds(draw: st.DrawFn, most_pending: int = 5) -> World:
    """Draw an election in progress."""
    names = NAMES[: draw(st.integers(1, len(NAMES)))]
    weights = {name: draw(WEIGHTS) for name in names}
    pending = draw(st.sets(st.sampled_from(names), max_size=most_pending))
    gone = draw(st.sets(st.sampled_from(names), max_size=2)) - pending
    answers = {
        name: draw(st.sampled_from("xyz"))
        for name in names
        if name not in pending and name not in gone
    }
    return World(weights, answers, frozenset(gone), draw(st.integers(1, len(names))))


def pairs_with(some: Sequence[str], names: Sequence[str]) -> list[Pair]:
    """Give all pairs of names of which one at least is among some."""
    return [
        frozenset(pair)
        for pair in itertools.combinations(names, 2)
        if not set(some).isdisjoint(pair)
    ]


def winning_class(weights: Mapping[str, float], answers: Answers) -> str:
    """Count answers that are equal or not, as plainly as possible."""
    ranks = {name: rank for rank, name in enumerate(weights)}

    def standing(answer: str) -> tuple[Fraction, int]:
        names = [name for name in answers if answers[name] == answer]
        weight = sum((Fraction(str(weights[name])) for name in names), Fraction())
        return -weight, min(ranks[name] for name in names)

    return min(set(answers.values()), key=standing)


def winning_names(
    weights: Mapping[str, float], voters: Sequence[str], pairs: frozenset[Pair]
) -> list[str]:
    """Group by declared rank and count, as plainly as possible; give the group that wins."""
    groups: list[list[str]] = []
    for name in weights:
        if name in voters:
            home = [group for group in groups if frozenset((group[0], name)) in pairs]
            if home:
                home[0].append(name)
            else:
                groups.append([name])
    # Groups stand in the order of their representatives, and `max` takes the first of equals.
    return max(groups, key=lambda group: sum(Fraction(str(weights[name])) for name in group))


def completions(world: World) -> Iterator[Answers]:
    """Give every way in which the rest may vote: as others did, in new ways, or not at all."""
    new = [f"new{number}" for number in range(len(world.pending))]
    choices: list[str | None] = [None, *sorted(set(world.answers.values())), *new]
    for chosen in itertools.product(choices, repeat=len(world.pending)):
        late = {
            name: answer
            for name, answer in zip(world.pending, chosen, strict=True)
            if answer is not None
        }
        yield {**world.answers, **late}


def certain_of_class(world: World) -> bool:
    """Tell by trying everything whether one answer wins however the rest may vote."""
    if len(world.answers) < world.quorum:
        return False
    return len({winning_class(world.weights, answers) for answers in completions(world)}) == 1


def certain_of_holder(world: World, known: frozenset[Pair]) -> bool:
    """Tell by trying everything whether the group that wins always holds today's best ballot."""
    if len(world.answers) < world.quorum:
        return False
    best = winning_names(world.weights, list(world.answers), known)[0]
    for size in range(len(world.pending) + 1):
        for late in itertools.combinations(world.pending, size):
            voters = [*world.answers, *late]
            fresh = pairs_with(late, voters)
            for bits in itertools.product((False, True), repeat=len(fresh)):
                pairs = known | frozenset(itertools.compress(fresh, bits))
                if best not in winning_names(world.weights, voters, pairs):
                    return False
    return True


@settings(deadline=None)
@given(worlds(most_pending=3))
def test_equal_answers_are_decided_as_early_as_can_be(world: World) -> None:
    """It is decided exactly when no completion of the votes would have another winner."""
    assert world.election(Exact()).decided() is certain_of_class(world)


@settings(max_examples=len(seeds(60, share=3)), deadline=None)
@given(worlds(most_pending=3), st.randoms(use_true_random=False))
def test_alike_answers_are_decided_as_early_as_can_be(world: World, rng: random.Random) -> None:
    """It is decided exactly when the winner now is in the winning group in every completion."""
    known = frozenset(pair for pair in pairs_with(NAMES, list(world.answers)) if rng.random() < 0.5)
    assert world.election(Table(known)).decided() is certain_of_holder(world, known)


@given(worlds(), st.randoms(use_true_random=False), st.sampled_from([Exact(), None]))
def test_the_order_of_arrival_does_not_matter(
    world: World, rng: random.Random, exact: Exact | None
) -> None:
    """Only the set of ballots counts: groups, winner and decision are the same."""
    table = Table(frozenset(pair for pair in pairs_with(NAMES, NAMES) if rng.random() < 0.5))
    order = list(world.weights)
    rng.shuffle(order)
    declared = world.election(exact or table)
    shuffled = world.election(exact or table, order)
    assert shuffled.groups() == declared.groups()
    assert shuffled.winner() == declared.winner()
    assert shuffled.report() == declared.report()
    assert shuffled.lost() is declared.lost()


@given(worlds(most_pending=0), st.randoms(use_true_random=False))
def test_the_final_result_is_the_plain_count(world: World, rng: random.Random) -> None:
    """With all votes in, the winner is the heaviest group, of equals the best-ranked."""
    pairs = frozenset(pair for pair in pairs_with(NAMES, NAMES) if rng.random() < 0.5)
    winner = world.election(Table(pairs)).winner()
    if len(world.answers) < world.quorum:
        assert winner is None
    else:
        assert winner is not None
        assert list(winner.names) == winning_names(world.weights, list(world.answers), pairs)
        assert winner.names[0] == winner.representative.name


@given(worlds(), st.randoms(use_true_random=False))
def test_what_is_decided_stays_decided(world: World, rng: random.Random) -> None:
    """Later votes and abstentions change neither the decision nor, once lost, the loss."""
    election = world.election(Exact())
    decided, lost = election.decided(), election.lost()
    before = election.winner()
    assert not (decided and lost)
    for name in world.pending:
        if rng.random() < 0.3:
            election.abstain(name)
        else:
            rank = list(world.weights).index(name)
            election.vote(Ballot(name, rank, world.weights[name], rng.choice("xyzw")))
        assert not decided or election.decided()
        assert not lost or election.lost()
    after = election.winner()
    if before is not None:
        assert after is not None
        assert after.representative.text == before.representative.text
    assert election.lost() is (after is None)


def _majority(*texts: str | None, names: Sequence[str] = NAMES, quorum: int = 1) -> Election:
    """Hold an election of equal weights; ``None`` has not answered yet."""
    election = Election(
        [(name, rank, 1.0) for rank, name in enumerate(names)], agreement=Exact(), quorum=quorum
    )
    for rank, text in enumerate(texts):
        if text is not None:
            election.vote(Ballot(names[rank], rank, 1.0, text, canonical_value(text)))
    return election


def test_a_majority_ends_the_election() -> None:
    """Three equal answers of five cannot be outvoted."""
    assert not _majority("x", "x").decided()
    assert _majority("x", "x", "X.").decided()


def test_a_draw_that_may_still_come_is_waited_for() -> None:
    """Two against one that is still to come would win a draw only by declared order."""
    names = ("a", "b", "c", "d")
    assert _majority("x", "x", names=names).decided()
    assert not _majority(None, None, "x", "x", names=names).decided()


def test_draws_go_to_the_declared_order() -> None:
    """Of groups of equal weight the one with the best-ranked member wins."""
    winner = _majority("y", "x", "x", "y", names=("a", "b", "c", "d")).winner()
    assert winner is not None
    assert winner.names == ("a", "d")


def test_a_vote_of_no_weight_can_break_a_draw() -> None:
    """Its rank counts for its group, so it is waited for."""
    election = Election([("a", 0, 0.0), ("b", 1, 1.0), ("c", 2, 1.0)], agreement=Exact(), quorum=1)
    election.vote(Ballot("b", 1, 1.0, "x"))
    election.vote(Ballot("c", 2, 1.0, "y"))
    assert not election.decided()
    election.vote(Ballot("a", 0, 0.0, "y"))
    winner = election.winner()
    assert winner is not None
    assert winner.names == ("a", "c")


def test_weights_count_as_they_are_written() -> None:
    """A tenth and two tenths are three tenths: a draw, in whatever order they are added."""
    election = Election([("a", 0, 0.3), ("b", 1, 0.1), ("c", 2, 0.2)], agreement=Exact(), quorum=3)
    for name, rank, weight, text in (
        ("c", 2, 0.2, "x"),
        ("b", 1, 0.1, "x"),
        ("a", 0, 0.3, "y"),
    ):
        election.vote(Ballot(name, rank, weight, text))
    assert [group.weight for group in election.groups()] == [0.3, 0.3]
    winner = election.winner()
    assert winner is not None
    assert winner.names == ("a",)


def test_a_quorum_is_waited_for_and_can_be_lost() -> None:
    """Without it nothing is decided, and what fails can make it unreachable."""
    election = _majority("x", "x", names=("a", "b", "c", "d"), quorum=3)
    assert not election.decided()
    assert election.winner() is None
    election.abstain("c")
    assert not election.lost()
    election.abstain("d")
    assert election.lost()
    assert election.winner() is None
    assert not election.decided()


def test_who_is_not_waited_for_abstains() -> None:
    """Once nobody is left to vote, the group that leads has won."""
    election = _majority("x", "y", names=("a", "b", "c"))
    assert election.winner() is None
    election.abstain("c")
    winner = election.winner()
    assert winner is not None
    assert winner == Group(1.0, ("a",), Ballot("a", 0, 1.0, "x"))


def test_a_better_ranked_newcomer_may_take_all_but_the_representative() -> None:
    """Where likeness is not transitive, three alike of four are not safe from the first."""
    world = World(dict.fromkeys("abcd", 1.0), dict.fromkeys("bcd", "x"), frozenset(), 1)
    alike = frozenset(pairs_with("bcd", "bcd"))
    assert world.election(Exact()).decided()
    election = world.election(Table(alike))
    assert not election.decided()
    # It comes, like the others but not like their representative.
    taken = Table(alike | {frozenset("ac"), frozenset("ad")})
    whole = attrs.evolve(world, answers={"a": "x", **world.answers})
    assert [group.names for group in whole.election(taken).groups()] == [("a", "c", "d"), ("b",)]


@pytest.mark.parametrize(
    ("rival", "newcomer", "decided"),
    [
        (None, 0.1, True),
        (1.0, 0.1, True),
        (2.9, 0.1, True),
        (3.0, 0.1, False),
        (3.95, 0.1, False),
        (1.0, 1.9, True),
        (2.0, 1.9, True),
        (2.1, 1.9, False),
        (1.0, 2.0, False),
    ],
)
def test_a_heavy_representative_outweighs_what_may_be_taken_from_it(
    rival: float | None, newcomer: float, decided: bool
) -> None:
    """It is safe while it alone outweighs the rest, a rival whom a newcomer joins included."""
    weights = {"a": rival or 0.0, "b": newcomer, "c": 3.0, "d": 1.0}
    answers = {"c": "y", "d": "y"} if rival is None else {"a": "x", "c": "y", "d": "y"}
    world = World(weights, answers, frozenset("a") - answers.keys(), 1)
    known = frozenset({frozenset("cd")})
    assert certain_of_holder(world, known) is decided
    assert world.election(Table(known)).decided() is decided


def test_the_report_tells_who_and_not_what() -> None:
    """It is JSON, and holds names, sizes, weights and the winner, but no answer."""
    election = _majority("secret", "secret", "other", names=("a", "b", "c"))
    report: Any = json.loads(json.dumps(election.report()))
    assert report == [
        {"names": ["a", "b"], "size": 2, "weight": 2.0, "won": True},
        {"names": ["c"], "size": 1, "weight": 1.0, "won": False},
    ]
    for shown in (repr(election), repr(election.groups()), repr(election.winner())):
        assert "secret" not in shown


def test_an_undecided_report_names_no_winner() -> None:
    """Who leads has not won."""
    assert [entry["won"] for entry in _majority("x", "y").report()] == [False, False]


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("Paris", "**paris**.", True),
        ("Paris", '"Paris"', True),
        ("Paris", "Lyon", False),
        ("42", "42.0", True),
        ("42.", "42", True),
        ('{"a": 1, "b": 2}', '```json\n{"b": 2.0, "a": 1}\n```', True),
        ('{"a": 1}', '{"A": 1}', False),
        ('{"a": "x"}', '{"a": "X"}', False),
    ],
)
def test_exact_agreement(first: str, second: str, same: bool) -> None:
    """JSON agrees by value, anything else by its normal form."""
    ballots = [Ballot("a", 0, 1.0, text, canonical_value(text)) for text in (first, second)]
    assert Exact().same(*ballots) is same


@given(
    st.lists(
        st.sampled_from(["42", "42.", '"42"', "4.2e1", '"Paris"', "Paris", "[1]", "{}"]), max_size=6
    )
)
def test_exact_agreement_is_transitive(texts: list[str]) -> None:
    """What it promises, and what early decisions rest on."""
    ballots = [Ballot("a", 0, 1.0, text, canonical_value(text)) for text in texts]
    for a, b, c in itertools.product(ballots, repeat=3):
        if Exact().same(a, b) and Exact().same(b, c):
            assert Exact().same(a, c)


def test_similar_answers_agree_from_the_threshold_on() -> None:
    """The same pair agrees or not, by the threshold."""
    red, both = Ballot("a", 0, 1.0, "red"), Ballot("b", 1, 1.0, "red and blue")
    assert not Similar().same(red, both)
    assert Similar(0.6).same(red, both)
    assert Similar(1.0).same(red, Ballot("c", 2, 1.0, "It is red."))


def test_aligned_answers_agree_by_their_vectors() -> None:
    """Words do not matter where there are vectors, and alone do where one is missing."""
    yes = Ballot("a", 0, 1.0, "yes", vector=(1.0, 0.1))
    affirmative = Ballot("b", 1, 1.0, "affirmative", vector=(1.0, 0.0))
    no = Ballot("c", 2, 1.0, "yes, not", vector=(0.0, 1.0))
    assert Aligned(0.9).same(yes, affirmative)
    assert not Aligned(0.9).same(yes, no)
    for other in (None, (1.0, 0.0, 0.0)):
        assert Aligned(0.9).same(yes, Ballot("d", 3, 1.0, "Yes!", vector=other))
        assert not Aligned(0.9).same(affirmative, Ballot("d", 3, 1.0, "Yes!", vector=other))
    red, both = Ballot("a", 0, 1.0, "red"), Ballot("b", 1, 1.0, "red and blue")
    assert Aligned(0.9, words=0.6).same(red, both)
    assert not Aligned(0.6, words=0.9).same(red, both)


@pytest.mark.parametrize(
    ("electorate", "quorum", "complaint"),
    [
        ([("a", 0, 1.0), ("a", 1, 1.0)], 1, "one name"),
        ([("a", 0, 1.0), ("b", 0, 1.0)], 1, "one rank"),
        ([("a", 0, -1.0)], 1, "weight of 'a'"),
        ([("a", 0, float("nan"))], 1, "weight of 'a'"),
        ([("a", 0, float("inf"))], 1, "weight of 'a'"),
        ([("a", 0, 1.7e308), ("b", 1, 1.7e308)], 1, "too large"),
        ([("a", 0, 1.0)], 0, "quorum"),
        ([("a", 0, 1.0)], 2, "quorum"),
        ([], 1, "quorum"),
    ],
)
def test_impossible_elections_are_refused(
    electorate: list[tuple[str, int, float]], quorum: int, complaint: str
) -> None:
    """Names and ranks differ, weights are finite and not negative, the quorum can be reached."""
    with pytest.raises(ValueError, match=complaint):
        Election(electorate, agreement=Exact(), quorum=quorum)


def test_nobody_votes_twice_or_uninvited() -> None:
    """A vote or an abstention ends it; name, rank and weight have to be the declared ones."""
    election = _majority("x", names=("a", "b"))
    for ballot in (
        Ballot("a", 0, 1.0, "y"),
        Ballot("z", 2, 1.0, "y"),
        Ballot("b", 0, 1.0, "y"),
        Ballot("b", 1, 0.5, "y"),
    ):
        with pytest.raises(ValueError, match="still to vote"):
            election.vote(ballot)
    election.abstain("b")
    for name in ("a", "b", "z"):
        with pytest.raises(ValueError, match="still to vote"):
            election.abstain(name)
    assert [group.names for group in election.groups()] == [("a",)]

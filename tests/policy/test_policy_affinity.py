"""Who served a conversation is remembered, up to a limit, by a digest of its beginning."""

from collections import OrderedDict

from hypothesis import given
from hypothesis import strategies as st

from trio_llm.policy.affinity import Affinity

PARTS = st.lists(st.text(st.characters(), max_size=5), max_size=4)


@given(PARTS, PARTS)
def test_two_keys_are_equal_when_the_conversations_are(one: list[str], other: list[str]) -> None:
    """The same parts give the same key, and any others another, also where the text is equal."""
    assert (Affinity.key_of(one) == Affinity.key_of(iter(other))) == (one == other)


def test_parts_are_kept_apart() -> None:
    """Where one part ends and the next begins makes a difference; so does an empty part."""
    keys = {Affinity.key_of(parts) for parts in (["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""])}
    assert len(keys) == 4
    assert {len(key) for key in keys} == {16}


def test_cut_text_has_a_key_too() -> None:
    """Half of a surrogate pair raises no error."""
    assert Affinity.key_of(["\ud83d"]) != Affinity.key_of(["\ud83e"])


@given(
    st.lists(st.tuples(st.integers(0, 8), st.none() | st.sampled_from("abc")), max_size=100),
    st.integers(0, 5),
)
def test_the_least_recently_used_is_forgotten(
    happenings: list[tuple[int, str | None]], limit: int
) -> None:
    """It gives the last server of the conversations used last, and never keeps more."""
    affinity, model = Affinity(limit), OrderedDict[bytes, str]()
    for number, name in happenings:
        key = Affinity.key_of([str(number)])
        if name is None:
            assert affinity.member(key) == model.get(key)
            if key in model:
                model.move_to_end(key)
        else:
            affinity.served(key, name)
            model[key] = name
            model.move_to_end(key)
            while len(model) > limit:
                model.popitem(last=False)
        assert len(affinity) == len(model) <= limit

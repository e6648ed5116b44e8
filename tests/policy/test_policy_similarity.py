"""Answers that say the same have one form, and those that nearly do are near each other."""

import json
import math
import sys
import time
from collections.abc import Sequence
from decimal import Context, Decimal
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trio_llm.policy.canonical import canonical_number
from trio_llm.policy.similarity import canonical_value, cosine, normalised, similarity

ODD = st.one_of(
    st.text(),
    st.text(alphabet=" \n\t.,!?'\"`*#()[]{}~-_$•¿«»\u200b\u0301\ufdfaAaB1ﬁ\uff11İ京"),
    st.text(alphabet=st.characters(categories=["Mn", "Mc", "Lm", "Lo", "Cf", "Cs"])),
)
WORDS = st.lists(
    st.sampled_from(["the", "is", "not", "isn't", "42", "-1.0", "Paris", "red", "=", "北京", "."])
).map(" ".join)
SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
) | st.text(st.characters(exclude_categories=["Cs"]))
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)
VECTORS = st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=6)


@given(ODD)
@example("a" + "\u0344" * 40 + "b")
@example("e\u200b\u0301")
@example("`" * 7 + "\n1!.!")
@example('"```json"')
def test_normalising_twice_changes_nothing(text: str) -> None:
    """The normal form of a normal form is itself, whatever the text."""
    once = normalised(text)
    assert normalised(once) == once


def test_normalising_every_letter_twice_changes_nothing() -> None:
    """No letter of Unicode needs a second pass."""
    for block in range(0, sys.maxunicode, 1024):
        once = normalised("".join(f"a{chr(block + place)}b" for place in range(1024)))
        assert normalised(once) == once, hex(block)


@pytest.mark.parametrize(
    "texts",
    [
        ("Paris", "paris.", " PARIS!\n", "**Paris**", '"Paris."', "“Paris”", "# Paris", "`paris`"),
        ("B", "b", "(B)", "B)", "[B]", "B."),
        ("42", "42.", "\uff14\uff12", "**42**.", "$42$", "```\n42\n```"),
        ("don't know", "Don\u2019t  know", "don't\nknow"),
        ("x = 1", "```python\nx = 1\n```", "~~~\nX = 1\n~~~\n"),
        ("naïve", "nai\u0308ve", "NAÏVE", "na\u200bïve"),
        ("straße", "STRASSE"),
        ("5 - 3", "5 \u2212 3", "5 \u2013 3"),
        ("", " ", "...", "\n\n", "\u200b"),
    ],
)
def test_dress_does_not_count(texts: tuple[str, ...]) -> None:
    """Case, white space, quotes, emphasis, fences and final marks make no difference."""
    assert len({normalised(text) for text in texts}) == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("5", "-5"),
        ("5!", "5"),
        ("$5", "€5"),
        ("50%", "50"),
        ("(1, 2)", "[1, 2)"),
        ("(1, 2)", "[1, 2]"),
        ("C", "C#"),
        ("f(x)", "f"),
        ("a b", "ab"),
        (".5", "5"),
    ],
)
def test_what_may_carry_meaning_counts(first: str, second: str) -> None:
    """Signs, units and the brackets of an interval keep answers apart."""
    assert normalised(first) != normalised(second)


@given(ODD | WORDS, ODD | WORDS)
def test_similarity_is_a_symmetric_share(a: str, b: str) -> None:
    """It is from 0 to 1, and the same from both sides."""
    value = similarity(a, b)
    assert 0.0 <= value <= 1.0
    assert similarity(b, a) == value


@given(ODD | WORDS)
@example("~~~")
def test_equal_normal_forms_are_wholly_alike(text: str) -> None:
    """A text is wholly like itself in any dress, even one without words."""
    assert similarity(text, f"  {text}\n") == 1.0
    assert similarity(text, normalised(text)) == 1.0


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("42", "The answer is 42."),
        ("42", "x = 42"),
        ("42", r"The result is $\boxed{42}$."),
        ("1000", "It's 1,000.0"),
        ("It is .5", "0.50"),
        ("-.5", "It's -0.5"),
        ("Paris", "The capital of France is **Paris**."),
        ("The capital of France is Paris.", "France's capital city is Paris."),
        ("Yes", "Yes, it is."),
        ("A", "The answer is A."),
        ("It can't be done", "It cannot be done."),
        ("- red\n- green", "1. Red\n2. Green"),
        ("北京是中国的首都", "中国的首都是北京。"),
    ],
)
def test_the_same_answer_in_other_words_is_near(first: str, second: str) -> None:
    """What frames an answer does not keep it from agreeing at the default threshold."""
    assert similarity(first, second) >= 0.7


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("The answer is 42.", "The answer is 43."),
        ("The answer is 42.", "The answer is -42."),
        ("42", "The answer is not 42."),
        ("Paris", "It is not true that the capital is Paris."),
        ("Paris", "It can't be that the capital is Paris."),
        ("blue, red", "Yesterday morning the clear sky, which was blue, is red."),
        ("Yes.", "No."),
        ("The answer is A", "The answer is B"),
        ("Paris is the capital", "Paris isn't the capital"),
        ("There were 12 apples in the large basket", "There were 13 apples in the large basket"),
        ("red", "red and blue"),
        ("x > 3", "x < 3"),
        ("x + 1", "x - 1"),
        ("กิน", "นิด"),
        ("red", "Of all I can see up here as the sun goes in or up on a day off, the best is red."),
        ("👍", "👎"),
        ("हाँ", "नहीं"),
        ("", "Paris"),
    ],
)
def test_another_answer_in_the_same_words_is_far(first: str, second: str) -> None:
    """Numbers, signs and negations outweigh the words around them."""
    assert similarity(first, second) < 0.7


@pytest.mark.parametrize(
    ("short", "long"),
    [("can't", "can not"), ("cannot", "can not"), ("won't", "will not"), ("isn't", "is not")],
)
def test_contractions_are_the_words_they_stand_for(short: str, long: str) -> None:
    """With all their parts."""
    assert similarity(f"It {short} work", f"It {long} work") == 1.0


def test_the_order_of_words_is_not_seen() -> None:
    """As documented: it is a measure of multisets."""
    assert similarity("dog bites man", "man bites dog") == 1.0


@pytest.mark.parametrize(
    "text",
    [
        "lorem ipsum 42, " * 6_250,
        "a" + "\u0301\u0316" * 50_000,
        "*" * 100_000,
        '"*' * 50_000,
        "\ufdfa" * 33_000,
        "```\n" * 25_000,
        "(" * 50_000 + ")" * 50_000,
        ":).(." * 20_000,
        "``` " + " " * 100_000 + "!",
        "9" * 100_000,
        "1,000" * 20_000,
        "- " * 50_000,
        "n't " * 25_000,
        "[" * 100_000,
        '{"a":' * 20_000,
        "[1" + "1" * 100_000 + "]",
        "1!" * 50_000,
    ],
    ids=lambda text: repr(text[:6]),
)
def test_long_texts_take_little_time(text: str) -> None:
    """No text of 100 kB takes time that is not about linear; quadratic would be minutes."""
    started = time.process_time()
    normalised(text)
    similarity(text, f"{text} x")
    canonical_value(text)
    assert time.process_time() - started < 10.0


@given(ODD | WORDS | st.text(alphabet='[]{}",:-0123456789.eE \n`jsonNaN'))
def test_any_text_has_a_value_or_none(text: str) -> None:
    """No text is an error; a value that is found is the canonical form of itself."""
    value = canonical_value(text)
    if value is not None:
        assert canonical_value(value) == value


def _reordered(value: Any) -> Any:
    if isinstance(value, dict):
        table = cast("dict[str, Any]", value)
        return {key: _reordered(table[key]) for key in reversed(table)}
    if isinstance(value, list):
        return [_reordered(item) for item in cast("Sequence[Any]", value)]
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


@given(VALUES)
def test_a_value_is_found_however_it_is_written(value: Any) -> None:
    """Order of keys, white space, escapes, forms of numbers and a fence make no difference."""
    found = canonical_value(json.dumps(value))
    assert found is not None
    other = json.dumps(_reordered(value), indent=2, ensure_ascii=False)
    assert canonical_value(other) == found
    assert canonical_value(f"Here it is:\n\n```json\n{other}\n```\nAnything else?") == found


@given(SCALARS, SCALARS)
def test_forms_are_equal_exactly_for_equal_values(a: Any, b: Any) -> None:
    """A whole number equals itself with a point, and true is not 1."""
    equal = a == b and isinstance(a, bool) is isinstance(b, bool)
    assert (canonical_value(json.dumps(a)) == canonical_value(json.dumps(b))) is equal
    assert canonical_value(json.dumps([a])) != canonical_value(json.dumps({"": a}))


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "[Infinity]",
        '{"a": -Infinity}',
        "The set {} is empty.",
        "42.",
        "",
        "```python\n42\n```",
        "```\n1\n```\n```\n2\n```",
        "[" * 100_000,
        "[" * 65 + "]" * 65,
        "1e9999999999999999999",
        '{"a": 1} and {"a": 2}',
    ],
    ids=lambda text: repr(text[:20]),
)
def test_what_is_no_single_value(text: str) -> None:
    """Words, several values, numbers that are none and depths beyond measure give nothing."""
    assert canonical_value(text) is None


def test_values_in_and_out_of_fences() -> None:
    """A fence may be unlabelled, longer, of tildes, or not closed; a code fence is no value."""
    for text in (
        '{"a": 1.0}',
        '```\n{"a": 1}\n```',
        '````JSON\n{"a": 1}\n````',
        'So:\n~~~ json\n{"a":\n1}\n~~~',
        '```json\n{"a": 10e-1}',
        'Run it:\n```python main.py\n1\n```\nIt prints\n```json\n{"a": 1}\n```',
    ):
        assert canonical_value(text) == '{"a":1}', text
    # A shorter fence does not close a longer one.
    assert canonical_value('````json\n["\n```\n"]\n````') == '["\\n```\\n"]'


@given(st.integers(), st.integers(-40, 40))
def test_equal_numbers_have_one_form(digits: int, exponent: int) -> None:
    """The form depends on the exact value alone, and keeps it."""
    number = Decimal(digits).scaleb(exponent, Context(prec=200))
    forms = {
        canonical_number(text)
        for text in (
            f"{number:f}",
            f"{number:e}",
            f"{digits}E{exponent:+}",
            f"{digits}.0e{exponent}",
        )
    }
    assert len(forms) == 1
    form = forms.pop()
    assert Decimal(form) == number
    assert canonical_number(form) == form


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("-0", "0"),
        ("0.00e5", "0"),
        ("100", "100"),
        ("1e2", "100"),
        ("0.10", "0.1"),
        ("123.4500", "123.45"),
        ("12345678901234567890123", "1.2345678901234567890123e22"),
        ("1e21", "1e21"),
        ("0.0000001", "1e-7"),
        ("0.000001", "0.000001"),
    ],
)
def test_forms_of_numbers(text: str, form: str) -> None:
    """Plain where that is short, with an exponent elsewhere, and never rounded."""
    assert canonical_number(text) == form


@pytest.mark.parametrize("text", ["", "-", "1.", ".5", "1e", "+1", "0x1", "1e99999999999999999999"])
def test_what_is_no_number(text: str) -> None:
    """Other notations, and exponents beyond measure, are refused."""
    with pytest.raises(ValueError, match="no number"):
        canonical_number(text)


@given(VECTORS, st.data())
def test_cosine_is_symmetric_and_bounded(a: list[float], data: st.DataObject) -> None:
    """Whatever the numbers, it is from -1 to 1 and the same from both sides."""
    b = data.draw(
        st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=len(a), max_size=len(a))
    )
    value = cosine(a, b)
    assert -1.0 <= value <= 1.0
    assert cosine(b, a) == value


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=6).filter(any))
@example([1e300, 1e300])
@example([5e-324, 0.0])
def test_cosine_sees_the_direction_alone(vector: list[float]) -> None:
    """A vector points where it points at any length, and its opposite the other way."""
    assert math.isclose(cosine(vector, vector), 1.0)
    assert math.isclose(cosine(vector, [-number for number in vector]), -1.0)
    assert math.isclose(cosine(vector, [number * 4.0 for number in vector]), 1.0)


def test_cosine_of_known_angles() -> None:
    """Right angles, 45 degrees, and vectors without a direction."""
    assert cosine([1.0, 0.0], [0.0, 1.0]) == 0.0
    assert math.isclose(cosine([1.0, 0.0], [1.0, 1.0]), math.sqrt(0.5))
    # Rounding would give a little more than 1.
    assert cosine([2.0, 8.0, 8.0], [2.0, 8.0, 8.0]) == 1.0
    assert math.isclose(cosine([1.7e308, 1.7e308], [1.7e308, 1.7e308]), 1.0)
    assert cosine([0.0, 0.0], [1.0, 1.0]) == 0.0
    assert cosine([math.nan, 1.0], [1.0, 1.0]) == 0.0
    assert cosine([math.inf, 1.0], [1.0, 1.0]) == 0.0


def test_vectors_of_other_lengths_have_no_angle() -> None:
    """They come from different models, and a number would be a lie."""
    with pytest.raises(ValueError, match="3 and 2"):
        cosine([1.0, 2.0, 3.0], [1.0, 2.0])

"""How alike two answers are: by their words, or by their vectors."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from unicodedata import category

import attrs

from trio_llm.policy.canonical import canonical_number, plain, tidy
from trio_llm.policy.canonical import canonical_value as canonical_value
from trio_llm.policy.canonical import normalised as normalised

_DECISIVE: Final = 3
"""How many words a number, a sign or a negation weighs as much as."""

_LONGEST_STATEMENT: Final = 20
"""The most words of a statement whose end alone may be the answer."""

_MOST_LETTERS: Final = 100_000
"""How much of a text is taken apart into words."""

_FRAMING_WORDS: Final = """
a an the is are was were be been being am it its this that these those there here so thus
hence then therefore of in on at to for from by with as and i we you my our your me us
i'm i'd i'll i've we've it'll has have had do does did will would can could should may
answer answers result results solution value final correct equal equals sure certainly
course ok okay well think believe boxed what which
"""
_FRAMING: Final = frozenset(_FRAMING_WORDS.split())
_NEGATING_WORDS: Final = "not no never none nor neither without nothing nobody nowhere"
_NEGATIONS: Final = frozenset(_NEGATING_WORDS.split())
_COPULAS: Final = frozenset({"is", "are", "was", "were", "equals", "="})
_NOT: Final = "not"
_STEMS: Final = {"ca": "can", "wo": "will"}
"""What is left of "can't" and "won't"."""


# Scripts that put no spaces between words: each of their characters is a word here.
_UNSPACED: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003ffff"
)
# Marks inside of words, which `\w` leaves out: accents, points and vowel signs.
_MARKS: Final = (
    "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u0670\u06d6-\u06ed\u0900-\u0963\u0971-\u0dff"
)
_WORD: Final = rf"(?:[^\W{_UNSPACED}]|[{_MARKS}])++"
# Neither do currencies count: "$" is also a mark of TeX, and models write the others or not.
_PUNCTUATION: Final = (
    "\u00a1-\u00a3\u00a5\u00a7\u00ab\u00b6\u00b7\u00bb\u00bf\u2000-\u206f\u20a0-\u20cf"
    "\u2e00-\u2e7f\u3001-\u303f"
)
_DRESS: Final = re.compile(
    # Bullets, numbers of a list, headings and quotes, at the start of a line.
    r"^[ \t]*+(?:(?:[-*+>•]|\#{1,6}|[0-9]{1,3}[.)])[ \t]++)++(?=\S)"
    # Emphasis and code, which touch a word on one side only: 2*3 and 2 * 3 stay.
    r"|(?<![\w*~`])[*~`]++(?=\S)|(?<=[^\s*~`])[*~`]++(?!\w)",
    re.MULTILINE,
)
_TOKEN: Final = re.compile(
    rf"""
    (?P<number>
        (?:(?<![\w)\]])-)?(?:[0-9]{{1,3}}(?:,[0-9]{{3}})++(?![0-9])|[0-9]++)
        (?:\.[0-9]++)?+(?!\w)
        |(?<![\w.])-?\.[0-9]++(?!\w)
    )
    |(?P<character>[{_UNSPACED}])
    |(?P<word>{_WORD}(?:'{_WORD})*+)
    |(?P<sign>[+*^=<>%]|[-/](?=\ ?[0-9])|[^\x00-\x7f\w\s{_PUNCTUATION}])
    """,
    re.VERBOSE,
)


@attrs.frozen(repr=False)
class Profile:
    """What there is to compare of a text, so that it is taken apart once.

    Attributes:
        normal: The text, `normalised`.
        words: How often it has each word.
        content: The same, without the words that only frame an answer.
        ending: The profile of the end of a statement, where that may be the answer.
    """

    normal: str
    words: Mapping[str, int]
    content: Mapping[str, int]
    ending: "Profile | None" = None

    @classmethod
    def of(cls, text: str) -> "Profile":
        """Take a text apart, in time that is linear in its length."""
        folded = plain(text)
        words = list(_words(_DRESS.sub("", folded[:_MOST_LETTERS])))
        ending = _ending(words)
        return cls._counted(
            tidy(folded), words, None if ending is None else cls._counted("", ending)
        )

    @classmethod
    def _counted(
        cls, normal: str, words: Sequence[str], ending: "Profile | None" = None
    ) -> "Profile":
        content = Counter(word for word in words if word not in _FRAMING)
        return cls(normal, Counter(words), content, ending)

    def likeness(self, other: "Profile") -> float:
        """Give how alike two texts are; see `similarity`."""
        if self.normal == other.normal:
            return 1.0
        found = [_overlap(self, other)]
        if self.ending is not None:
            found.append(_overlap(self.ending, other))
        if other.ending is not None:
            found.append(_overlap(self, other.ending))
        return max(found)


def similarity(a: str, b: str) -> float:
    """Give how alike two answers are, 0 to 1; equal `normalised` texts give 1.

    The measure is the Sørensen-Dice coefficient of their multisets of words, which for
    words is the F1 score by which answers to questions are marked (Rajpurkar et al.,
    "SQuAD", 2016, section 6.1): twice what they share over the sum of both. Three
    things make it fit for short answers, where a single word decides:

    - Words that only frame an answer ("the answer is", "it", "of"; English) do not
      count, unless both texts have no others.
    - A number, a sign or a negation counts as much as three words, so that "it is 42"
      and "it is 43", or "is" and "is not", are far apart. Numbers are compared by
      value, and of a word like "isn't" the "not" counts.
    - Of a single statement of up to 20 words the part after its one "is" (or "are",
      "was", "were", "equals", "=") may stand for the whole, if nothing before it is
      negated: "The capital of France is Paris" answers like "Paris".

    Marks of Markdown do not count. Chinese, Japanese, Thai and other scripts without
    spaces are compared by characters. The order of words is not seen: "dog bites man"
    is "man bites dog". Words are taken from the first 100,000 letters of a text; the time
    is linear in both texts.
    """
    return Profile.of(a).likeness(Profile.of(b))


def cosine(a: Sequence[float], b: Sequence[float]) -> float:
    """Give the cosine of the angle between two vectors, -1 to 1.

    A vector without a direction (all zero, or not finite) is like nothing: 0.

    Raises:
        ValueError: They are not of one length.
    """
    if len(a) != len(b):
        msg = f"vectors of {len(a)} and {len(b)} numbers have no angle"
        raise ValueError(msg)
    first, second = _unit(a), _unit(b)
    if not first or not second:
        return 0.0
    return max(-1.0, min(1.0, math.fsum([x * y for x, y in zip(first, second, strict=True)])))


def _unit(vector: Sequence[float]) -> list[float]:
    # Scaled to the largest first: the squares of large or small numbers leave the range.
    largest = max(map(abs, vector), default=0.0)
    if not largest or not math.isfinite(math.fsum([x / largest for x in vector])):
        return []
    scaled = [x / largest for x in vector]
    length = math.hypot(*scaled)
    return [x / length for x in scaled]


def _words(text: str) -> Iterator[str]:
    for token in _TOKEN.finditer(text):
        if token.lastgroup == "number":
            written = token[0].replace(",", "")
            if written.lstrip("-")[0] == ".":
                written = written.replace(".", "0.")
            yield canonical_number(written)
        elif token.lastgroup == "word":
            yield from _parts(token[0].strip("_"))
        else:
            yield token[0]


def _parts(word: str) -> Iterator[str]:
    """Take a contraction apart."""
    if word == "cannot":
        word = "can't"
    stem = word.removesuffix("n't").removesuffix("'s")
    negated = word.endswith("n't")
    if stem:
        yield _STEMS.get(stem, stem) if negated else stem
    if negated:
        yield _NOT


def _ending(words: Sequence[str]) -> Sequence[str] | None:
    """Give what a statement says of its subject, where it is plain that it is one."""
    if len(words) > _LONGEST_STATEMENT:
        return None
    places = [place for place, word in enumerate(words) if word in _COPULAS]
    if len(places) != 1 or places[0] == len(words) - 1:
        return None
    if not _NEGATIONS.isdisjoint(words[: places[0]]):
        return None
    return words[places[0] + 1 :]


def _overlap(a: Profile, b: Profile) -> float:
    first, second = a.content, b.content
    if not first and not second:
        first, second = a.words, b.words
    both = _weight(first) + _weight(second)
    if not both:
        return 0.0
    shared = {word: min(count, second[word]) for word, count in first.items() if word in second}
    return 2 * _weight(shared) / both


def _weight(words: Mapping[str, int]) -> int:
    return sum(
        count * (_DECISIVE if word in _NEGATIONS or category(word[0])[0] not in "LM" else 1)
        for word, count in words.items()
    )

"""JSON that is not finished yet."""

import copy
import json
from collections.abc import Sequence
from typing import Any, cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from trio_llm.operations.partial import DEEPEST, PartialJson
from trio_llm.testing import seeds

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
DOCUMENTS = st.lists(JSON, max_size=4) | st.dictionaries(st.text(), JSON, max_size=4)


def is_part(partial: Any, whole: Any, *, last: bool = True) -> bool:
    """Tell whether a value can be what has arrived of another; all but the last must be whole."""
    if partial == whole and type(partial) is type(whole):
        return True
    if not last or type(partial) is not type(whole):
        return False
    if isinstance(partial, str):
        return cast("str", whole).startswith(partial)
    if isinstance(partial, list):
        items, others = cast("Sequence[Any]", partial), cast("Sequence[Any]", whole)
    elif isinstance(partial, dict):
        table, other = cast("dict[str, Any]", partial), cast("dict[str, Any]", whole)
        if list(other)[: len(table)] != list(table):
            return False
        items, others = list(table.values()), list(other.values())
    else:
        return False
    return len(items) <= len(others) and all(
        is_part(item, others[index], last=index == len(items) - 1)
        for index, item in enumerate(items)
    )


def _fed(*pieces: str, opening: str = "{[") -> Any:
    parser = PartialJson(opening)
    for piece in pieces:
        parser.feed(piece)
    return parser.value


@settings(max_examples=len(seeds(150, share=4)), deadline=None)
@given(DOCUMENTS, st.booleans(), st.sampled_from([None, 1, "\t"]))
@example({"a": '\ud83d\ude00\n\\"/', "b\u1234": [1.5e300, -0, True, None]}, True, None)
@example(["\ud83d", "\ude00\ud83dx", "\ud83d\ud83d\ude00"], True, None)
def test_every_prefix_gives_a_part_of_the_whole(
    document: Any, ascii_only: bool, indent: Any
) -> None:
    """Letter by letter: never an error, always a part, in the end the whole."""
    text = json.dumps(document, ensure_ascii=ascii_only, indent=indent)
    whole = json.loads(text)
    parser = PartialJson()
    for letter in text:
        assert not parser.finished
        before = copy.deepcopy(parser.value)
        changed = parser.feed(letter)
        assert changed or parser.value == before
        assert parser.value is None or is_part(parser.value, whole)
    assert parser.finished
    assert parser.value == whole


@settings(max_examples=len(seeds(150, share=4)), deadline=None)
@given(DOCUMENTS, st.data())
def test_pieces_of_any_size_give_the_same(document: Any, data: st.DataObject) -> None:
    """How the text was cut makes no difference, and reading in between neither."""
    text = json.dumps(document)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    parser = PartialJson()
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        parser.feed(text[start:end])
        if data.draw(st.booleans()):
            assert parser.value == _fed(text[:end])
    assert parser.value == document


@settings(max_examples=len(seeds(300, share=4)), deadline=None)
@given(st.text(alphabet='{}[]",:\\u0d8e \n1-.truefalsn') | st.text())
def test_no_text_whatever_raises(text: str) -> None:
    """What is no JSON gives something or nothing, and whatever it shows is plain JSON."""
    for opening in ("{", "{["):
        value = _fed(*text, opening=opening)
        assert value is None or isinstance(value, dict | list)
        json.dumps(value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", None),
        ("Here it is:\n```json\n", None),
        ('Of {course}: {"a": 1, ', {"a": 1}),
        ('{"a": 12', {}),
        ('{"a": 12,', {"a": 12}),
        ('{"a": tru', {}),
        ('{"a": "x\\', {"a": "x"}),
        ('{"a": "x\\u00', {"a": "x"}),
        ('{"a": "x\\ud83d', {"a": "x"}),
        ('{"a": "x\\ud83d\\ude00', {"a": "x😀"}),
        ('{"a": "x\\ud83d"', {"a": "x\ud83d"}),
        ('{"a', {}),
        ('{"a": [1, {"b": "c', {"a": [1, {"b": "c"}]}),
        ('{"a": "two\nlines', {"a": "two\nlines"}),
        ('{"a": 1, b: 2}', {"a": 1}),
        ('{"a": 1, "b": oops}', {"a": 1}),
        ('{"a": "x\\q', {"a": "x"}),
        ('{"a": "x\\u00g0"}', {"a": "x"}),
        ('{"a": [1}', {"a": [1]}),
        ('{"a": NaN, "b": 1}', None),
        ('{"a": 1} and {"b": 2}', {"a": 1}),
        ("[1, 2, 3", [1, 2]),
        ('{"a": 1,}', {"a": 1}),
    ],
)
def test_what_is_shown_of_a_text(text: str, shown: Any) -> None:
    """Numbers and words wait for their end; what is broken stays as it was."""
    assert _fed(text) == shown


def test_only_objects_open_where_objects_are_wanted() -> None:
    """Among words a bracket is more often no array."""
    assert _fed('As in [1]: {"a": 2', opening="{") == {}
    assert _fed('As in [1]: {"a": 2}', opening="{") == {"a": 2}


def test_depth_is_bounded() -> None:
    """A text of brackets gives up at a fixed depth."""
    parser = PartialJson()
    parser.feed("[" * (DEEPEST + 1))
    assert parser.finished
    depth, value = 0, parser.value
    while value:
        depth, value = depth + 1, value[0]
    assert depth == DEEPEST - 1


class Counted(PartialJson):
    """Counts its steps, each of which reads no further than where the next begins."""

    __slots__ = ("steps",)

    def _step(self, text: str, position: int) -> int:
        self.steps: int = getattr(self, "steps", 0) + 1
        return super()._step(text, position)


@pytest.mark.parametrize(
    "piece", ['{"a": "x\\n", "b": [1, 2]},', "{x{y", '"\\ud83d\\ud83d", ', "[[]], [", "1 2", "]"]
)
def test_the_work_is_linear(piece: str) -> None:
    """No letter is looked at more than twice, however the text is cut or broken."""
    text = f"[{piece * 1000}"
    parser = Counted()
    for start in range(0, len(text), 4):
        parser.feed(text[start : start + 4])
    assert parser.steps <= 2 * len(text)

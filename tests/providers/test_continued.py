"""Answers that go on with one that has begun, where a server repeats the beginning."""

from trio_llm import Completion, Message, Reasoning, Request, Text
from trio_llm.providers.continued import without_beginning

BEGUN = Request(
    messages=[Message("user", "Count."), Message("assistant", "one two")], continuation=True
)


def test_a_repeated_beginning_is_taken_off() -> None:
    """What stands in front of the rest is what was sent; other parts stay."""
    thought = Reasoning("hm")
    answer = Completion(Message("assistant", (thought, Text("one two three"))))
    rest = without_beginning(BEGUN, answer)
    assert rest.message.content == (thought, Text(" three"))


def test_an_answer_that_does_not_repeat_it_stays_as_it_is() -> None:
    """Most servers give the rest alone."""
    answer = Completion(Message("assistant", " three"))
    assert without_beginning(BEGUN, answer) is answer

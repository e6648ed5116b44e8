"""Answers that go on with one that has begun."""

import attrs

from trio_llm.chat import Completion, Message, Request, Text


def without_beginning(request: Request, completion: Completion) -> Completion:
    """Take off what an answer repeats of the one that it was to go on with.

    llama.cpp's server puts the beginning in front of a plain answer, though not of a
    streamed one.
    """
    begun, text = request.messages[-1].text, completion.message.text
    if not begun or not text.startswith(begun):
        return completion
    kept = tuple(part for part in completion.message.content if not isinstance(part, Text))
    rest = Text(text[len(begun) :])
    return attrs.evolve(completion, message=Message("assistant", (*kept, rest)))

"""Which members may serve a request, and what each is asked."""

from collections.abc import Sequence

import attrs

from trio_llm.chat import AnyRequest
from trio_llm.errors import ModelNotFoundError
from trio_llm.providers.node import Node


@attrs.define(eq=False)
class Candidate:
    """A member that may serve the request.

    Attributes:
        node: The member.
        index: Its declared position.
        request: What it is asked; the model may be narrowed.
    """

    node: Node
    index: int
    request: AnyRequest


def route(balancer: str, members: Sequence[Node], request: AnyRequest) -> list[Candidate]:
    """Give the members that may serve a request, in declared order.

    Without a model, all of them. A model is read, in this order, as the name of a
    member (or of a member's member), as ``member/model``, and as a model that
    members declare to serve; members that declare no models are asked only when no
    other declares it.

    Raises:
        ModelNotFoundError: No member serves the model.
    """
    model = request.model
    if model is None:
        return [Candidate(node, index, request) for index, node in enumerate(members)]
    for index, node in enumerate(members):
        if node.name == model:
            return [Candidate(node, index, attrs.evolve(request, model=None))]
    for index, node in enumerate(members):
        if node.covers(model):
            return [Candidate(node, index, request)]
    head, slash, tail = model.partition("/")
    if slash:
        for index, node in enumerate(members):
            if node.name == head:
                return [Candidate(node, index, attrs.evolve(request, model=tail))]
        for index, node in enumerate(members):
            if node.covers(head):
                return [Candidate(node, index, request)]
    answers = [node.serves(model) for node in members]
    wanted = True if True in answers else None
    found = [
        Candidate(node, index, request)
        for index, (node, answer) in enumerate(zip(members, answers, strict=True))
        if answer is wanted
    ]
    if not found:
        raise ModelNotFoundError(
            f"no member serves the model {model!r}", provider=balancer, model=model
        )
    return found


def preferred_first(candidates: list[Candidate], prefer: str | None) -> list[Candidate]:
    """Put the candidate that is, or contains, the preferred name first."""
    if prefer is None:
        return candidates
    return sorted(candidates, key=lambda candidate: not candidate.node.covers(prefer))

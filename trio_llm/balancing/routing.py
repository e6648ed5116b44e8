"""Which members may serve a request, and what each is asked."""

from collections.abc import Mapping, Sequence
from typing import Final

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


@attrs.frozen
class Models:
    """The models that a balancer asks its members for.

    Attributes:
        usual: The model of a member when the call names none, by the member's name.
        virtual: By the name of a virtual model, the model of each member that serves it.
    """

    usual: Mapping[str, str] = attrs.field(factory=dict[str, str])
    virtual: Mapping[str, Mapping[str, str]] = attrs.field(factory=dict[str, Mapping[str, str]])


_NONE_NAMED: Final = Models()


def route(
    balancer: str, members: Sequence[Node], request: AnyRequest, models: Models = _NONE_NAMED
) -> list[Candidate]:
    """Give the members that may serve a request, in declared order.

    Without a model, all of them, each with the model that the balancer names for it. A
    model is read, in this order, as a virtual model of the balancer, as the name of a
    member (or of a member's member), as ``member/model``, and as a model that members
    declare to serve; members that declare no models are asked only when no other
    declares it.

    Raises:
        ModelNotFoundError: No member serves the model.
    """
    model = request.model
    if model is None:
        return _everybody(members, request, models)
    found = _virtual(members, request, models) or _named(members, request, model, models)
    if found:
        return found
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


def _everybody(members: Sequence[Node], request: AnyRequest, models: Models) -> list[Candidate]:
    if not models.usual:
        return [Candidate(node, index, request) for index, node in enumerate(members)]
    return [
        Candidate(node, index, _asked_for(request, models.usual.get(node.name)))
        for index, node in enumerate(members)
    ]


def _virtual(members: Sequence[Node], request: AnyRequest, models: Models) -> list[Candidate]:
    meant = models.virtual.get(request.model or "", {})
    return [
        Candidate(node, index, _asked_for(request, meant[node.name]))
        for index, node in enumerate(members)
        if node.name in meant
    ]


def _named(
    members: Sequence[Node], request: AnyRequest, model: str, models: Models
) -> list[Candidate]:
    """Give the member that a model names, or that it begins with the name of."""
    for index, node in enumerate(members):
        if node.name == model:
            return [Candidate(node, index, _asked_for(request, models.usual.get(node.name)))]
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
    return []


def _asked_for(request: AnyRequest, model: str | None) -> AnyRequest:
    return request if request.model == model else attrs.evolve(request, model=model)


def preferred_first(candidates: list[Candidate], prefer: str | None) -> list[Candidate]:
    """Put the candidate that is, or contains, the preferred name first."""
    if prefer is None:
        return candidates
    return sorted(candidates, key=lambda candidate: not candidate.node.covers(prefer))


def others_than(
    winner: Candidate, order: Sequence[Candidate], failed: Sequence[Candidate]
) -> list[Candidate]:
    """Give those who may go on with a winner's stream: who failed in this call comes last."""
    others = [candidate for candidate in order if candidate is not winner]
    return sorted(others, key=lambda candidate: candidate in failed)

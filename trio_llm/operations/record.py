"""An operation that is given as a record: held to the rules of the methods."""

import attrs

from trio_llm.chat import (
    DeleteModel,
    EmbedRequest,
    ModerateRequest,
    Operation,
    PullModel,
    ShowModel,
)
from trio_llm.operations.models import managing
from trio_llm.prompt import to_texts
from trio_llm.providers.node import Node


def checked(node: Node, operation: Operation) -> Operation:
    """Give an operation as a node is to be asked it: texts looked at, family fixed.

    Raises:
        InvalidRequestError: There is no text, or an empty one; or it is about a model of
            one server, and the node is a balancer.
    """
    if isinstance(operation, ShowModel | PullModel | DeleteModel):
        managing(node, type(operation), operation.model or "")
    elif isinstance(operation, EmbedRequest | ModerateRequest):
        operation = attrs.evolve(operation, texts=to_texts(operation.texts))
    if isinstance(operation, EmbedRequest) and operation.family is None:
        operation = attrs.evolve(operation, family=node.embedding_family(operation))
    return operation

"""What is offered at every provider and balancer: the operations of an endpoint."""

from trio_llm.endpoint.caching import Caching
from trio_llm.endpoint.choosing import Choosing
from trio_llm.endpoint.degrading import Degrading as Degrading
from trio_llm.endpoint.operating import Operating
from trio_llm.endpoint.several import AskingSeveralTimes
from trio_llm.prompt import CallOptions as CallOptions
from trio_llm.prompt import Prompt as Prompt
from trio_llm.prompt import to_request as to_request


class Endpoint(AskingSeveralTimes, Operating, Choosing, Caching):
    """One provider or balancer, to be asked."""

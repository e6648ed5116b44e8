"""HTTP: connections that belong to exchanges, with a clock for each phase."""

from trio_llm.policy import TimeLimits as TimeLimits
from trio_llm.transport.choice import TransportChoice as TransportChoice
from trio_llm.transport.choice import check_choice as check_choice
from trio_llm.transport.choice import transport_for as transport_for
from trio_llm.transport.connections import MAX_BODY as MAX_BODY
from trio_llm.transport.connections import Connections as Connections
from trio_llm.transport.connections import ConnectionStatistics as ConnectionStatistics
from trio_llm.transport.exchange import Exchange as Exchange
from trio_llm.transport.library import httpx as httpx
from trio_llm.transport.tls import Verify as Verify

"""An actor-style concurrent runtime for LLM calls, on Trio.

>>> import trio, trio_llm
>>> async def main():
...     async with trio_llm.open_runtime() as llm:
...         print((await llm.generate("What is an actor?")).text)
"""

import sys

from trio_llm import events as events
from trio_llm._face import show_at
from trio_llm._version import __version__ as __version__
from trio_llm.balancing import Selection as Selection
from trio_llm.cache import CacheStatistics as CacheStatistics
from trio_llm.chat import Attempt as Attempt
from trio_llm.chat import AttemptOutcome as AttemptOutcome
from trio_llm.chat import Audio as Audio
from trio_llm.chat import Capability as Capability
from trio_llm.chat import Certainty as Certainty
from trio_llm.chat import Completion as Completion
from trio_llm.chat import Cost as Cost
from trio_llm.chat import CountRequest as CountRequest
from trio_llm.chat import DeleteModel as DeleteModel
from trio_llm.chat import Done as Done
from trio_llm.chat import Embeddings as Embeddings
from trio_llm.chat import EmbedRequest as EmbedRequest
from trio_llm.chat import File as File
from trio_llm.chat import Finished as Finished
from trio_llm.chat import Image as Image
from trio_llm.chat import ListModels as ListModels
from trio_llm.chat import Message as Message
from trio_llm.chat import ModelInfo as ModelInfo
from trio_llm.chat import ModelList as ModelList
from trio_llm.chat import ModerateRequest as ModerateRequest
from trio_llm.chat import Moderation as Moderation
from trio_llm.chat import OnInterrupt as OnInterrupt
from trio_llm.chat import Operation as Operation
from trio_llm.chat import OperationResult as OperationResult
from trio_llm.chat import OutputSchema as OutputSchema
from trio_llm.chat import Part as Part
from trio_llm.chat import Price as Price
from trio_llm.chat import PriceTier as PriceTier
from trio_llm.chat import PullModel as PullModel
from trio_llm.chat import PullProgress as PullProgress
from trio_llm.chat import Reasoning as Reasoning
from trio_llm.chat import ReasoningDelta as ReasoningDelta
from trio_llm.chat import Reply as Reply
from trio_llm.chat import Request as Request
from trio_llm.chat import ShowModel as ShowModel
from trio_llm.chat import StreamEvent as StreamEvent
from trio_llm.chat import Switched as Switched
from trio_llm.chat import Text as Text
from trio_llm.chat import TextDelta as TextDelta
from trio_llm.chat import TokenCount as TokenCount
from trio_llm.chat import Tool as Tool
from trio_llm.chat import ToolCall as ToolCall
from trio_llm.chat import ToolCallDelta as ToolCallDelta
from trio_llm.chat import ToolResult as ToolResult
from trio_llm.chat import Usage as Usage
from trio_llm.chat import Verdict as Verdict
from trio_llm.config import BreakerSettings as BreakerSettings
from trio_llm.config import Budget as Budget
from trio_llm.config import CacheSettings as CacheSettings
from trio_llm.config import Config as Config
from trio_llm.config import Consensus as Consensus
from trio_llm.config import CooldownSettings as CooldownSettings
from trio_llm.config import Degradation as Degradation
from trio_llm.config import Fallback as Fallback
from trio_llm.config import HealthCheck as HealthCheck
from trio_llm.config import Hedge as Hedge
from trio_llm.config import LoadBalance as LoadBalance
from trio_llm.config import LoggingSettings as LoggingSettings
from trio_llm.config import PriceSettings as PriceSettings
from trio_llm.config import Provider as Provider
from trio_llm.config import Race as Race
from trio_llm.config import RateLimit as RateLimit
from trio_llm.config import Restart as Restart
from trio_llm.config import Retry as Retry
from trio_llm.config import RetryBudgetSettings as RetryBudgetSettings
from trio_llm.config import Secret as Secret
from trio_llm.config import Simulation as Simulation
from trio_llm.config import StoreSettings as StoreSettings
from trio_llm.config import TelemetrySettings as TelemetrySettings
from trio_llm.config import Timeouts as Timeouts
from trio_llm.config import load_config as load_config
from trio_llm.endpoint import CallOptions as CallOptions
from trio_llm.endpoint import Endpoint as Endpoint
from trio_llm.endpoint import Prompt as Prompt
from trio_llm.errors import AllProvidersFailed as AllProvidersFailed
from trio_llm.errors import AuthenticationError as AuthenticationError
from trio_llm.errors import Blame as Blame
from trio_llm.errors import BudgetExceededError as BudgetExceededError
from trio_llm.errors import ConfigError as ConfigError
from trio_llm.errors import ConnectionFailedError as ConnectionFailedError
from trio_llm.errors import ContentFilterError as ContentFilterError
from trio_llm.errors import ContextLengthError as ContextLengthError
from trio_llm.errors import InvalidRequestError as InvalidRequestError
from trio_llm.errors import LLMError as LLMError
from trio_llm.errors import MalformedResponseError as MalformedResponseError
from trio_llm.errors import ModelNotFoundError as ModelNotFoundError
from trio_llm.errors import OverloadedError as OverloadedError
from trio_llm.errors import PermissionDeniedError as PermissionDeniedError
from trio_llm.errors import ProviderCrashedError as ProviderCrashedError
from trio_llm.errors import ProviderError as ProviderError
from trio_llm.errors import ProviderTimeoutError as ProviderTimeoutError
from trio_llm.errors import ProviderUnavailableError as ProviderUnavailableError
from trio_llm.errors import QuotaExceededError as QuotaExceededError
from trio_llm.errors import RateLimitError as RateLimitError
from trio_llm.errors import RuntimeClosedError as RuntimeClosedError
from trio_llm.errors import ServerError as ServerError
from trio_llm.errors import StoreError as StoreError
from trio_llm.errors import StreamInterruptedError as StreamInterruptedError
from trio_llm.errors import StructuredOutputError as StructuredOutputError
from trio_llm.errors import ToolCallError as ToolCallError
from trio_llm.errors import ToolRoundsExceededError as ToolRoundsExceededError
from trio_llm.errors import UnsupportedError as UnsupportedError
from trio_llm.generations import ReloadReport as ReloadReport
from trio_llm.ledger import Ledger as Ledger
from trio_llm.ledger import Projection as Projection
from trio_llm.operations import BatchResults as BatchResults
from trio_llm.operations import ModelCatalogue as ModelCatalogue
from trio_llm.operations import PartialStream as PartialStream
from trio_llm.operations import ToolOutcome as ToolOutcome
from trio_llm.operations import ToolRun as ToolRun
from trio_llm.policy.spending import BudgetStatus as BudgetStatus
from trio_llm.providers.custom import CustomProvider as CustomProvider
from trio_llm.providers.status import NodeStatistics as NodeStatistics
from trio_llm.providers.status import ProviderStatus as ProviderStatus
from trio_llm.runtime import Health as Health
from trio_llm.runtime import Runtime as Runtime
from trio_llm.runtime import Statistics as Statistics
from trio_llm.runtime import open_runtime as open_runtime
from trio_llm.runtime import run_runtime as run_runtime
from trio_llm.store import UsageRow as UsageRow
from trio_llm.streaming import PullStream as PullStream
from trio_llm.streaming import ReplyStream as ReplyStream

__all__ = [
    "AllProvidersFailed",
    "Attempt",
    "AttemptOutcome",
    "Audio",
    "AuthenticationError",
    "BatchResults",
    "Blame",
    "BreakerSettings",
    "Budget",
    "BudgetExceededError",
    "BudgetStatus",
    "CacheSettings",
    "CacheStatistics",
    "CallOptions",
    "Capability",
    "Certainty",
    "Completion",
    "Config",
    "ConfigError",
    "ConnectionFailedError",
    "Consensus",
    "ContentFilterError",
    "ContextLengthError",
    "CooldownSettings",
    "Cost",
    "CountRequest",
    "CustomProvider",
    "Degradation",
    "DeleteModel",
    "Done",
    "EmbedRequest",
    "Embeddings",
    "Endpoint",
    "Fallback",
    "File",
    "Finished",
    "Health",
    "HealthCheck",
    "Hedge",
    "Image",
    "InvalidRequestError",
    "LLMError",
    "Ledger",
    "ListModels",
    "LoadBalance",
    "LoggingSettings",
    "MalformedResponseError",
    "Message",
    "ModelCatalogue",
    "ModelInfo",
    "ModelList",
    "ModelNotFoundError",
    "ModerateRequest",
    "Moderation",
    "NodeStatistics",
    "OnInterrupt",
    "Operation",
    "OperationResult",
    "OutputSchema",
    "OverloadedError",
    "Part",
    "PartialStream",
    "PermissionDeniedError",
    "Price",
    "PriceSettings",
    "PriceTier",
    "Projection",
    "Prompt",
    "Provider",
    "ProviderCrashedError",
    "ProviderError",
    "ProviderStatus",
    "ProviderTimeoutError",
    "ProviderUnavailableError",
    "PullModel",
    "PullProgress",
    "PullStream",
    "QuotaExceededError",
    "Race",
    "RateLimit",
    "RateLimitError",
    "Reasoning",
    "ReasoningDelta",
    "ReloadReport",
    "Reply",
    "ReplyStream",
    "Request",
    "Restart",
    "Retry",
    "RetryBudgetSettings",
    "Runtime",
    "RuntimeClosedError",
    "Secret",
    "Selection",
    "ServerError",
    "ShowModel",
    "Simulation",
    "Statistics",
    "StoreError",
    "StoreSettings",
    "StreamEvent",
    "StreamInterruptedError",
    "StructuredOutputError",
    "Switched",
    "TelemetrySettings",
    "Text",
    "TextDelta",
    "Timeouts",
    "TokenCount",
    "Tool",
    "ToolCall",
    "ToolCallDelta",
    "ToolCallError",
    "ToolOutcome",
    "ToolResult",
    "ToolRoundsExceededError",
    "ToolRun",
    "UnsupportedError",
    "Usage",
    "UsageRow",
    "Verdict",
    "__version__",
    "events",
    "load_config",
    "open_runtime",
    "run_runtime",
]

show_at(sys.modules[__name__])
del show_at, sys

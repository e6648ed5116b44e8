"""The operations of an endpoint besides asking: each built on the same road."""

from trio_llm.operations.batch import BatchResults as BatchResults
from trio_llm.operations.batch import Prompts as Prompts
from trio_llm.operations.batch import batch as batch
from trio_llm.operations.compare import compare as compare
from trio_llm.operations.compare import named as named
from trio_llm.operations.count import count_tokens as count_tokens
from trio_llm.operations.embed import embed as embed
from trio_llm.operations.models import ModelCatalogue as ModelCatalogue
from trio_llm.operations.models import behind as behind
from trio_llm.operations.models import delete_model as delete_model
from trio_llm.operations.models import list_models as list_models
from trio_llm.operations.models import managing as managing
from trio_llm.operations.models import show_model as show_model
from trio_llm.operations.moderate import moderate as moderate
from trio_llm.operations.structured import PartialStream as PartialStream
from trio_llm.operations.structured import generate_as as generate_as
from trio_llm.operations.structured import stream_as as stream_as
from trio_llm.operations.tool_loop import ToolErrors as ToolErrors
from trio_llm.operations.tool_loop import ToolOutcome as ToolOutcome
from trio_llm.operations.tool_loop import ToolRun as ToolRun
from trio_llm.operations.tool_loop import run_tools as run_tools

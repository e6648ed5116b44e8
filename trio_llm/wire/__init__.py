"""Wire formats, both sides of them: bytes in, values out, no input or output of their own.

A further dialect is a module of its own and one line in `DIALECTS`.
"""

from collections.abc import Mapping

from trio_llm.wire.anthropic import Anthropic
from trio_llm.wire.cloudflare import CloudflareRun
from trio_llm.wire.cohere import Cohere
from trio_llm.wire.dialect import Dialect as Dialect
from trio_llm.wire.dialect import Incoming as Incoming
from trio_llm.wire.dialect import OperationCodec as OperationCodec
from trio_llm.wire.dialect import Outgoing as Outgoing
from trio_llm.wire.dialect import ProgressDecoder as ProgressDecoder
from trio_llm.wire.dialect import StreamDecoder as StreamDecoder
from trio_llm.wire.dialect import StreamEncoder as StreamEncoder
from trio_llm.wire.gemini import Gemini
from trio_llm.wire.huggingface import HuggingFace
from trio_llm.wire.ollama import Ollama
from trio_llm.wire.openai_chat import OpenAIChat
from trio_llm.wire.openai_responses import OpenAIResponses
from trio_llm.wire.quirks import PLAIN as PLAIN
from trio_llm.wire.quirks import Quirks as Quirks

_ALL: tuple[Dialect, ...] = (
    OpenAIChat(),
    OpenAIResponses(),
    Anthropic(),
    Ollama(),
    Cohere(),
    Gemini(),
    HuggingFace(),
    CloudflareRun(),
)

DIALECTS: Mapping[str, Dialect] = {dialect.name: dialect for dialect in _ALL}
"""Every dialect by its name."""

"""Wire formats, both sides of them: bytes in, values out, no input or output of their own.

A further dialect is a package of its own and one line in `registry`.
"""

from trio_llm.wire.dialect import Dialect as Dialect
from trio_llm.wire.dialect import Incoming as Incoming
from trio_llm.wire.dialect import OperationCodec as OperationCodec
from trio_llm.wire.dialect import Outgoing as Outgoing
from trio_llm.wire.dialect import ProgressDecoder as ProgressDecoder
from trio_llm.wire.dialect import StreamDecoder as StreamDecoder
from trio_llm.wire.dialect import StreamEncoder as StreamEncoder
from trio_llm.wire.quirks import PLAIN as PLAIN
from trio_llm.wire.quirks import Quirks as Quirks
from trio_llm.wire.registry import DIALECTS as DIALECTS

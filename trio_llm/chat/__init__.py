"""The vocabulary of a conversation: messages, tools, requests, replies, stream events."""

from trio_llm.chat.capability import Capability as Capability
from trio_llm.chat.messages import Image as Image
from trio_llm.chat.messages import Message as Message
from trio_llm.chat.messages import Part as Part
from trio_llm.chat.messages import Reasoning as Reasoning
from trio_llm.chat.messages import Role as Role
from trio_llm.chat.messages import Text as Text
from trio_llm.chat.messages import ToolCall as ToolCall
from trio_llm.chat.messages import ToolResult as ToolResult
from trio_llm.chat.reply import Attempt as Attempt
from trio_llm.chat.reply import AttemptOutcome as AttemptOutcome
from trio_llm.chat.reply import Completion as Completion
from trio_llm.chat.reply import FinishReason as FinishReason
from trio_llm.chat.reply import Reply as Reply
from trio_llm.chat.reply import Usage as Usage
from trio_llm.chat.request import Request as Request
from trio_llm.chat.request import Tool as Tool
from trio_llm.chat.stream import Delta as Delta
from trio_llm.chat.stream import Finished as Finished
from trio_llm.chat.stream import ReasoningDelta as ReasoningDelta
from trio_llm.chat.stream import StreamEvent as StreamEvent
from trio_llm.chat.stream import TextDelta as TextDelta
from trio_llm.chat.stream import ToolCallDelta as ToolCallDelta

"""Python types as JSON: the schema of a type, and values of it read from JSON."""

from trio_llm.chat.typed.docstrings import Docstring as Docstring
from trio_llm.chat.typed.docstrings import read_docstring as read_docstring
from trio_llm.chat.typed.examples import example_of as example_of
from trio_llm.chat.typed.faults import UnfitValueError as UnfitValueError
from trio_llm.chat.typed.reading import read_value as read_value
from trio_llm.chat.typed.reading import to_text as to_text
from trio_llm.chat.typed.records import Field as Field
from trio_llm.chat.typed.records import described as described
from trio_llm.chat.typed.records import is_record as is_record
from trio_llm.chat.typed.schemas import object_schema as object_schema
from trio_llm.chat.typed.schemas import schema_of as schema_of

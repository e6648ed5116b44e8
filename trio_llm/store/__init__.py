"""Where usage, budgets and cached answers are kept."""

from typing import TYPE_CHECKING, Any

from trio_llm.store.memory import MemoryStore as MemoryStore
from trio_llm.store.protocol import DIMENSIONS as DIMENSIONS
from trio_llm.store.protocol import CachedAnswer as CachedAnswer
from trio_llm.store.protocol import Change as Change
from trio_llm.store.protocol import Release as Release
from trio_llm.store.protocol import Store as Store
from trio_llm.store.protocol import UnwritableError as UnwritableError
from trio_llm.store.protocol import UsageQuery as UsageQuery
from trio_llm.store.protocol import UsageRow as UsageRow

if TYPE_CHECKING:
    from trio_llm.store.sqlite import SQLiteStore as SQLiteStore


def __getattr__(name: str) -> Any:
    """Load the database when it is first asked for: not every runtime has one."""
    if name != "SQLiteStore":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from trio_llm.store.sqlite import SQLiteStore  # noqa: PLC0415 - see above

    return SQLiteStore

"""Where usage, budgets and cached answers are kept."""

from trio_llm.store.memory import MemoryStore as MemoryStore
from trio_llm.store.protocol import DIMENSIONS as DIMENSIONS
from trio_llm.store.protocol import CachedAnswer as CachedAnswer
from trio_llm.store.protocol import Change as Change
from trio_llm.store.protocol import Release as Release
from trio_llm.store.protocol import Store as Store
from trio_llm.store.protocol import UsageQuery as UsageQuery
from trio_llm.store.protocol import UsageRow as UsageRow

"""The performance file: what is known of providers and balancers, kept over restarts."""

from trio_llm.history.file import HistoryFile as HistoryFile
from trio_llm.history.loading import Loaded as Loaded

"""``trio-llm usage``: what was used and what it cost, from the books on disk."""

from trio_llm.cli.usage.command import EPILOG as EPILOG
from trio_llm.cli.usage.command import usage as usage

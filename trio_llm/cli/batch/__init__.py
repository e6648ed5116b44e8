"""``trio-llm batch``: many prompts from a file, each answered once, whatever happens."""

from trio_llm.cli.batch.command import EPILOG as EPILOG
from trio_llm.cli.batch.command import batch as batch

"""``trio-llm top``: a runtime at work, actor by actor: state, load, rates, wins and cost."""

from trio_llm.cli.top.command import EPILOG as EPILOG
from trio_llm.cli.top.command import top as top

"""``trio-llm monitor``: probes every provider on an interval, and shows how each fares."""

from trio_llm.cli.monitor.command import EPILOG as EPILOG
from trio_llm.cli.monitor.command import monitor as monitor

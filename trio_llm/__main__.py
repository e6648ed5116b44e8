"""``python -m trio_llm`` is the command ``trio-llm``."""

import sys

from trio_llm.cli.__main__ import main

if __name__ == "__main__":
    sys.exit(main())

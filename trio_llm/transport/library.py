"""The one place that chooses the HTTP library: httpx, or its continuation httpx2.

The environment variable ``TRIO_LLM_HTTP`` (``httpx`` or ``httpx2``) is read once, at
import. Both libraries have the same names, so the rest of the room imports
``httpx`` from here and does not know which one it is.
"""

import importlib
import os
from typing import TYPE_CHECKING

from trio_llm.errors import ConfigError

VARIABLE = "TRIO_LLM_HTTP"
LIBRARIES = ("httpx", "httpx2")

if TYPE_CHECKING:
    import httpx as httpx
else:
    _name = os.environ.get(VARIABLE) or LIBRARIES[0]
    if _name not in LIBRARIES:
        raise ConfigError([f"{VARIABLE}: must be httpx or httpx2, not {_name!r}"], "environment")
    httpx = importlib.import_module(_name)

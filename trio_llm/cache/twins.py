"""One error for each of several callers.

An exception object that is raised in several tasks grows the traceback of all of them.
"""

from typing import cast

from trio_llm.errors import AllProvidersFailed, LLMError, facts_of


def twin_of(error: LLMError) -> LLMError:
    """Give an equal error without traceback, and where it is a group, with twins in it."""
    twin: LLMError
    if isinstance(error, AllProvidersFailed):
        # A group within one of these is one of these, too.
        members = [twin_of(cast("LLMError", each)) for each in error.exceptions]
        twin = type(error).__new__(type(error), error.message, members, error.balancer)
    else:
        twin = type(error).__new__(type(error), *error.args)
    twin.__dict__.update(facts_of(error))
    twin.__cause__ = error.__cause__
    twin.__suppress_context__ = error.__suppress_context__
    return twin

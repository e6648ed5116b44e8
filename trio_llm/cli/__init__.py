"""The command line: ``trio-llm``, or ``python -m trio_llm``.

It needs the extra ``cli`` (typer and rich); nothing else of the library imports it.
"""

"""What is said where a package that an extra brings is not installed."""


def needs_extra(what: str, extra: str) -> ImportError:
    """Make the error for something that cannot be used without an extra."""
    return ImportError(f"{what} needs the extra {extra!r}: pip install 'trio-llm[{extra}]'")

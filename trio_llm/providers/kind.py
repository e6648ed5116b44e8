"""What there is to say about one kind of provider."""

import re
from collections.abc import Mapping
from typing import Final

import attrs

from trio_llm.chat import Capability
from trio_llm.wire.quirks import PLAIN, Quirks

CONVERSATION: Final = frozenset(
    {
        Capability.TEXT_GENERATION,
        Capability.CHAT,
        Capability.CODE_GENERATION,
        Capability.TRANSLATION,
        Capability.SUMMARIZATION,
        Capability.TOOLS,
        Capability.VISION,
        Capability.STRUCTURED_OUTPUT,
    }
)
"""What a model that one talks to is taken to do unless the configuration says less."""

UNPRICED: Final = frozenset(
    {"simulated", "custom", "ollama", "lmstudio", "llamacpp", "vllm", "openai_compatible"}
)
"""Kinds of which no source of prices can know anything."""

FREE: Final = frozenset({"simulated", "ollama", "lmstudio", "llamacpp", "vllm"})
"""Kinds that ask for no money: what they run on is the user's own."""

_PART: Final = re.compile(r"\{([a-z]+)\}")
_WORD: Final = re.compile(r"[A-Za-z0-9_-]+")


@attrs.frozen(kw_only=True)
class DocumentedLimits:
    """What a provider's documentation says that it takes in one request.

    Attributes:
        embed_texts: Texts of one embedding request.
        embed_tokens: Tokens of one embedding request; ``None`` means no limit.
        moderate_texts: Texts of one moderation request.
        stop: Stop strings; ``None`` means no limit.
    """

    embed_texts: int = 128
    embed_tokens: int | None = None
    moderate_texts: int = 32
    stop: int | None = None


@attrs.frozen
class UrlPart:
    """A part of a base URL that the environment says.

    Attributes:
        variables: Environment variables that hold it, first one wins.
        default: What it is without them; ``None`` means that one must be set.
        word: Whether it is a single word; otherwise it is the start of the URL.
    """

    variables: tuple[str, ...]
    default: str | None = None
    word: bool = True


@attrs.frozen
class Kind:
    """One kind of provider.

    Attributes:
        name: The word after ``kind =`` in a configuration.
        dialect: Its wire format, by name; ``None`` when it runs in this process
            and there is no wire.
        base_url: Where it is; ``None`` when the configuration must say. ``{part}``
            stands for one of `url_parts`.
        dialect_urls: Where it is in another dialect, by the name of that, if not there.
        key_variables: The environment variables that hold its key, first one wins.
        default_model: The model when the configuration names none; ``None``
            when it must.
        key_required: Whether it refuses calls without a key.
        capabilities: What it can be asked to do.
        url_variables: Environment variables that move `base_url`, first one wins.
        url_parts: What stands for the parts in braces of `base_url`.
        embedding_model: The model that embeds when the configuration names none.
        moderation_model: The model that moderates when the configuration names none.
        quirks: In what it differs from its dialect.
        path_quirks: In what it differs instead where its base URL contains a string.
        limits: What its documentation says that it takes.
        unlisted: A pattern found in those of its base URLs under which there is no list
            of models; ``None`` means that there always is one.
        continues: Whether it goes on with an answer that ends the conversation, in place
            of beginning a new one.
        versioned: Whether it reads a version of its interface, in any dialect.
        from_environment: Whether a set key is enough to use it when there is no
            configuration; not so where another kind has the same key.
    """

    name: str
    dialect: str | None = "openai_chat"
    base_url: str | None = None
    key_variables: tuple[str, ...] = ()
    default_model: str | None = None
    key_required: bool = True
    capabilities: frozenset[Capability] = CONVERSATION
    url_variables: tuple[str, ...] = ()
    dialect_urls: Mapping[str, str] = attrs.field(factory=dict[str, str])
    url_parts: Mapping[str, UrlPart] = attrs.field(factory=dict[str, UrlPart])
    embedding_model: str | None = None
    moderation_model: str | None = None
    quirks: Quirks = PLAIN
    path_quirks: Mapping[str, Quirks] = attrs.field(factory=dict[str, Quirks])
    limits: DocumentedLimits = DocumentedLimits()
    unlisted: str | None = None
    continues: bool = False
    versioned: bool = False
    from_environment: bool = True

    @property
    def in_process(self) -> bool:
        """Whether it answers in this process, without a wire."""
        return self.dialect is None

    @property
    def variables(self) -> tuple[str, ...]:
        """Every environment variable that it reads."""
        parts = [name for part in self.url_parts.values() for name in part.variables]
        return (*self.key_variables, *self.url_variables, *parts)

    def key_variable(self, environ: Mapping[str, str]) -> str | None:
        """Give the variable that holds its key: the first one set, or else the first."""
        return _first_set(self.key_variables, environ) or next(iter(self.key_variables), None)

    def quirks_at(self, base_url: str | None) -> Quirks:
        """Give the differences that it has at an address."""
        for part, quirks in self.path_quirks.items():
            if base_url is not None and part in base_url:
                return quirks
        return self.quirks

    def lists_models(self, base_url: str | None) -> bool:
        """Whether there is a list of models under an address."""
        return self.unlisted is None or re.search(self.unlisted, base_url or "") is None

    def url_in(self, dialect: str | None) -> str | None:
        """Give the base URL for a dialect, its parts not filled in."""
        return self.dialect_urls.get(dialect or "", self.base_url)

    def fill(self, dialect: str | None, environ: Mapping[str, str]) -> tuple[str | None, list[str]]:
        """Give the base URL for a dialect with its parts, and what is wrong with them."""
        url, faults = self.url_in(dialect), list[str]()
        for name in _PART.findall(url or ""):
            part = self.url_parts[name]
            variable = _first_set(part.variables, environ)
            value = part.default if variable is None else environ[variable].strip().rstrip("/")
            if value is None:
                faults.append(
                    f"environment variable {part.variables[0]} is not set; export it or set "
                    "base_url"
                )
            elif part.word and not _WORD.fullmatch(value):
                faults.append(
                    f"environment variable {variable} is not one word of letters and digits; "
                    "correct it or set base_url"
                )
            else:
                url = (url or "").replace(f"{{{name}}}", value)
        return (None if faults else url), faults

    def set_up(self, environ: Mapping[str, str]) -> bool:
        """Whether the environment holds a key for it, and all that its URL needs."""
        parts = self.url_parts.values()
        return _first_set(self.key_variables, environ) is not None and all(
            part.default is not None or _first_set(part.variables, environ) for part in parts
        )


def _first_set(variables: tuple[str, ...], environ: Mapping[str, str]) -> str | None:
    for variable in variables:
        if environ.get(variable, "").strip():
            return variable
    return None

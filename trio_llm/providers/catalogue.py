"""The kinds of provider, as data: one entry is all that a further one needs.

Addresses and names of key variables are those of the vendors' documentation.
"""

from collections.abc import Mapping
from types import MappingProxyType
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

CUSTOM_METHOD: Final = "generate"
"""The one async method that a class of the kind ``custom`` must have."""


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
class Kind:
    """One kind of provider.

    Attributes:
        name: The word after ``kind =`` in a configuration.
        dialect: Its wire format, by name; ``None`` when it runs in this process
            and there is no wire.
        base_url: Where it is; ``None`` when the configuration must say.
        key_variable: The environment variable that holds its key.
        default_model: The model when the configuration names none; ``None``
            when it must.
        key_required: Whether it refuses calls without a key.
        capabilities: What it can be asked to do.
        url_variables: Environment variables that move `base_url`, first one wins.
        embedding_model: The model that embeds when the configuration names none.
        moderation_model: The model that moderates when the configuration names none.
        quirks: In what it differs from its dialect.
        limits: What its documentation says that it takes.
    """

    name: str
    dialect: str | None = "openai_chat"
    base_url: str | None = None
    key_variable: str | None = None
    default_model: str | None = None
    key_required: bool = True
    capabilities: frozenset[Capability] = CONVERSATION
    url_variables: tuple[str, ...] = ()
    embedding_model: str | None = None
    moderation_model: str | None = None
    quirks: Quirks = PLAIN
    limits: DocumentedLimits = DocumentedLimits()

    @property
    def in_process(self) -> bool:
        """Whether it answers in this process, without a wire."""
        return self.dialect is None


_ENTRIES: Final = (
    Kind(
        "openai",
        base_url="https://api.openai.com/v1",
        key_variable="OPENAI_API_KEY",
        default_model="gpt-4o-mini",
    ),
    Kind(
        "anthropic",
        dialect="anthropic",
        base_url="https://api.anthropic.com/v1",
        key_variable="ANTHROPIC_API_KEY",
        default_model="claude-haiku-4-5",
    ),
    Kind(
        "openrouter",
        base_url="https://openrouter.ai/api/v1",
        key_variable="OPENROUTER_API_KEY",
        default_model="openai/gpt-4o-mini",
    ),
    Kind(
        "groq",
        base_url="https://api.groq.com/openai/v1",
        key_variable="GROQ_API_KEY",
        default_model="openai/gpt-oss-20b",
    ),
    Kind(
        "mistral",
        base_url="https://api.mistral.ai/v1",
        key_variable="MISTRAL_API_KEY",
        default_model="mistral-small-latest",
    ),
    Kind(
        "deepseek",
        base_url="https://api.deepseek.com",
        key_variable="DEEPSEEK_API_KEY",
        default_model="deepseek-v4-flash",
        capabilities=CONVERSATION - {Capability.VISION},
    ),
    Kind(
        "xai",
        base_url="https://api.x.ai/v1",
        key_variable="XAI_API_KEY",
        default_model="grok-4.3",
    ),
    Kind(
        "together",
        base_url="https://api.together.xyz/v1",
        key_variable="TOGETHER_API_KEY",
        default_model="meta-llama/Llama-3.3-70B-Instruct-Turbo",
    ),
    Kind(
        "nvidia",
        base_url="https://integrate.api.nvidia.com/v1",
        key_variable="NVIDIA_API_KEY",
        default_model="meta/llama-3.1-8b-instruct",
    ),
    Kind(
        "huggingface",
        base_url="https://router.huggingface.co/v1",
        key_variable="HF_TOKEN",
        default_model="meta-llama/Llama-3.1-8B-Instruct",
    ),
    Kind(
        "ollama",
        dialect="ollama",
        base_url="http://localhost:11434",
        default_model="llama3.2",
        key_required=False,
        url_variables=("OLLAMA_URL", "OLLAMA_HOST"),
    ),
    Kind("lmstudio", base_url="http://localhost:1234/v1", key_required=False),
    # A llama.cpp server has one model loaded and accepts any name for it.
    Kind(
        "llamacpp",
        base_url="http://localhost:8080/v1",
        default_model="default",
        key_required=False,
    ),
    Kind("vllm", base_url="http://localhost:8000/v1", key_required=False),
    Kind("openai_compatible", key_required=False),
    Kind("simulated", dialect=None, default_model="simulated", key_required=False),
    Kind("custom", dialect=None, key_required=False),
)

KINDS: Final[Mapping[str, Kind]] = MappingProxyType({kind.name: kind for kind in _ENTRIES})
"""Every kind by name; their order is the order of preference of an empty configuration."""

"""The kinds of provider, as data: one entry is all that a further one needs.

Addresses and names of key variables are those of the vendors' documentation, and so
are the limits, each with its source beside it.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import attrs

from trio_llm.chat import Capability
from trio_llm.providers.kind import CONVERSATION as CONVERSATION
from trio_llm.providers.kind import DocumentedLimits as DocumentedLimits
from trio_llm.providers.kind import Kind as Kind
from trio_llm.providers.kind import UrlPart as UrlPart
from trio_llm.wire import presets

CUSTOM_METHOD: Final = "generate"
"""The one async method that a class of the kind ``custom`` must have."""

_EMBEDDING: Final = {Capability.EMBEDDING}
_MODERATION: Final = {Capability.MODERATION}
_AUDIO: Final = {Capability.AUDIO_INPUT}
_FILES: Final = {Capability.FILE_INPUT}
_TEXT_ONLY: Final = CONVERSATION - {Capability.VISION}

# platform.openai.com/docs/api-reference/embeddings: 2,048 texts and 300,000 tokens;
# .../chat: 4 stop strings.
_OPENAI_LIMITS: Final = DocumentedLimits(embed_texts=2048, embed_tokens=300_000, stop=4)

_CLOUD: Final = (
    Kind(
        "openai",
        base_url="https://api.openai.com/v1",
        key_variables=("OPENAI_API_KEY",),
        default_model="gpt-4o-mini",
        capabilities=CONVERSATION | _EMBEDDING | _MODERATION | _AUDIO | _FILES,
        embedding_model="text-embedding-3-small",
        moderation_model="omni-moderation-latest",
        quirks=presets.OPENAI,
        limits=_OPENAI_LIMITS,
    ),
    # Responses take neither stop strings nor sound; all else is as above.
    Kind(
        "openai_responses",
        dialect="openai_responses",
        base_url="https://api.openai.com/v1",
        key_variables=("OPENAI_API_KEY",),
        default_model="gpt-4o-mini",
        capabilities=CONVERSATION | _EMBEDDING | _MODERATION | _FILES,
        embedding_model="text-embedding-3-small",
        moderation_model="omni-moderation-latest",
        quirks=presets.OPENAI,
        limits=attrs.evolve(_OPENAI_LIMITS, stop=None),
        from_environment=False,
    ),
    Kind(
        "anthropic",
        continues=True,
        dialect="anthropic",
        base_url="https://api.anthropic.com/v1",
        key_variables=("ANTHROPIC_API_KEY",),
        default_model="claude-haiku-4-5",
        capabilities=CONVERSATION | _FILES,
        versioned=True,
        quirks=presets.ANTHROPIC,
    ),
    # ai.google.dev/api/embeddings: 100 texts in a batch; .../api/generate-content: 5
    # stop strings.
    Kind(
        "gemini",
        dialect="gemini",
        base_url="https://generativelanguage.googleapis.com/v1beta",
        key_variables=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        default_model="gemini-3.5-flash",
        capabilities=CONVERSATION | _EMBEDDING | _AUDIO | _FILES,
        dialect_urls={
            "openai_chat": "https://generativelanguage.googleapis.com/v1beta/openai",
        },
        embedding_model="gemini-embedding-001",
        quirks=presets.GEMINI,
        limits=DocumentedLimits(embed_texts=100, stop=5),
    ),
    # docs.cohere.com/reference/embed: 96 texts; .../reference/chat: 5 stop strings.
    Kind(
        "cohere",
        dialect="cohere",
        base_url="https://api.cohere.com",
        key_variables=("COHERE_API_KEY", "CO_API_KEY"),
        default_model="command-a-03-2025",
        capabilities=CONVERSATION | _EMBEDDING,
        dialect_urls={"openai_chat": "https://api.cohere.com/compatibility/v1"},
        embedding_model="embed-v4.0",
        quirks=presets.COHERE,
        limits=DocumentedLimits(embed_texts=96, stop=5),
    ),
    Kind(
        "openrouter",
        base_url="https://openrouter.ai/api/v1",
        key_variables=("OPENROUTER_API_KEY",),
        default_model="openai/gpt-4o-mini",
        capabilities=CONVERSATION | _EMBEDDING | _AUDIO | _FILES,
        embedding_model="openai/text-embedding-3-small",
        quirks=presets.OPENROUTER,
    ),
    # The interface without versions; the path of a deployment has them. A deployment
    # is named by whoever made it, often like its model. learn.microsoft.com, "Azure
    # OpenAI quotas and limits": 2,048 texts.
    Kind(
        "azure",
        base_url="{endpoint}/openai/v1",
        key_variables=("AZURE_OPENAI_API_KEY",),
        default_model="gpt-4o-mini",
        capabilities=CONVERSATION | _EMBEDDING | _AUDIO,
        url_parts={"endpoint": UrlPart(("AZURE_OPENAI_ENDPOINT",), word=False)},
        embedding_model="text-embedding-3-small",
        quirks=presets.AZURE,
        path_quirks={"/openai/deployments/": presets.AZURE_DEPLOYMENT},
        limits=DocumentedLimits(embed_texts=2048, stop=4),
        unlisted="/openai/deployments/",
        versioned=True,
    ),
    # console.groq.com/docs/api-reference: 4 stop strings.
    Kind(
        "groq",
        base_url="https://api.groq.com/openai/v1",
        key_variables=("GROQ_API_KEY",),
        default_model="openai/gpt-oss-20b",
        quirks=presets.GROQ,
        limits=DocumentedLimits(stop=4),
    ),
    # Not in its documentation. Clients that tried it out found 256 texts (rig-core)
    # and 16,000 tokens (langchain-mistralai).
    Kind(
        "mistral",
        base_url="https://api.mistral.ai/v1",
        key_variables=("MISTRAL_API_KEY",),
        default_model="mistral-small-latest",
        capabilities=CONVERSATION | _EMBEDDING | _MODERATION | _AUDIO | _FILES,
        embedding_model="mistral-embed",
        moderation_model="mistral-moderation-latest",
        quirks=presets.MISTRAL,
        limits=DocumentedLimits(embed_texts=256, embed_tokens=16_000),
    ),
    # api-docs.deepseek.com/api/create-chat-completion: 16 stop strings.
    Kind(
        "deepseek",
        base_url="https://api.deepseek.com",
        key_variables=("DEEPSEEK_API_KEY",),
        default_model="deepseek-v4-flash",
        capabilities=_TEXT_ONLY,
        dialect_urls={"anthropic": "https://api.deepseek.com/anthropic/v1"},
        quirks=presets.DEEPSEEK,
        limits=DocumentedLimits(stop=16),
    ),
    Kind(
        "xai",
        base_url="https://api.x.ai/v1",
        key_variables=("XAI_API_KEY",),
        default_model="grok-4.3",
        quirks=presets.XAI,
    ),
    Kind(
        "together",
        base_url="https://api.together.xyz/v1",
        key_variables=("TOGETHER_API_KEY",),
        default_model="meta-llama/Llama-3.3-70B-Instruct-Turbo",
        capabilities=CONVERSATION | _EMBEDDING,
        embedding_model="intfloat/multilingual-e5-large-instruct",
        quirks=presets.TOGETHER,
    ),
    Kind(
        "fireworks",
        base_url="https://api.fireworks.ai/inference/v1",
        key_variables=("FIREWORKS_API_KEY",),
        default_model="accounts/fireworks/models/gpt-oss-20b",
        capabilities=CONVERSATION | _EMBEDDING,
        embedding_model="nomic-ai/nomic-embed-text-v1.5",
        quirks=presets.FIREWORKS,
    ),
    # Chat completions were supported until 27 September 2026 (docs.perplexity.ai); what
    # came after takes Responses, and searches the web only with a tool ``web_search`` in
    # ``extra``. The list of models is under /v1 alone. Of its SDK (perplexityai 0.46):
    # 512 texts, all inputs together 120,000 tokens.
    Kind(
        "perplexity",
        dialect="openai_responses",
        base_url="https://api.perplexity.ai/v1",
        key_variables=("PERPLEXITY_API_KEY", "PPLX_API_KEY"),
        default_model="perplexity/sonar",
        capabilities=CONVERSATION | _EMBEDDING | _FILES,
        dialect_urls={"openai_chat": "https://api.perplexity.ai"},
        embedding_model="pplx-embed-v1-0.6b",
        quirks=presets.PERPLEXITY,
        limits=DocumentedLimits(embed_texts=512, embed_tokens=120_000),
        unlisted=r"perplexity\.ai$",
    ),
    Kind(
        "nvidia",
        base_url="https://integrate.api.nvidia.com/v1",
        key_variables=("NVIDIA_API_KEY",),
        default_model="meta/llama-3.1-8b-instruct",
        capabilities=CONVERSATION | _EMBEDDING,
        embedding_model="baai/bge-m3",
        quirks=presets.NVIDIA,
    ),
    # A batch of 32 is what the embedding server takes unless it is told otherwise
    # (huggingface.co/docs/text-embeddings-inference, --max-client-batch-size).
    Kind(
        "huggingface",
        dialect="huggingface",
        base_url="https://router.huggingface.co/v1",
        key_variables=(
            "HF_TOKEN",
            "HUGGINGFACE_API_KEY",
            "HUGGINGFACEHUB_API_TOKEN",
            "HUGGING_FACE_HUB_TOKEN",
        ),
        default_model="meta-llama/Llama-3.1-8B-Instruct",
        capabilities=CONVERSATION | _EMBEDDING,
        embedding_model="BAAI/bge-m3",
        quirks=presets.HUGGINGFACE,
        limits=DocumentedLimits(embed_texts=32),
    ),
    # developers.cloudflare.com/workers-ai, the schemas of its embedding models: 100
    # texts; .../configuration/open-ai-compatibility: no list of models, which the
    # interface of its own has.
    Kind(
        "cloudflare",
        base_url="https://api.cloudflare.com/client/v4/accounts/{account}/ai/v1",
        key_variables=("CLOUDFLARE_API_TOKEN", "CLOUDFLARE_API_KEY"),
        default_model="@cf/meta/llama-3.3-70b-instruct-fp8-fast",
        capabilities=CONVERSATION | _EMBEDDING,
        dialect_urls={
            "cloudflare_run": "https://api.cloudflare.com/client/v4/accounts/{account}/ai",
        },
        url_parts={"account": UrlPart(("CLOUDFLARE_ACCOUNT_ID",))},
        embedding_model="@cf/baai/bge-m3",
        quirks=presets.CLOUDFLARE,
        limits=DocumentedLimits(embed_texts=100),
        unlisted="/(workers-)?ai/v1$",
    ),
    # docs.aws.amazon.com/bedrock, "Get list of models": OpenAI's list is at
    # bedrock-mantle only.
    Kind(
        "bedrock",
        base_url="https://bedrock-runtime.{region}.amazonaws.com/openai/v1",
        key_variables=("AWS_BEARER_TOKEN_BEDROCK",),
        default_model="openai.gpt-oss-20b-1:0",
        capabilities=_TEXT_ONLY,
        url_parts={"region": UrlPart(("AWS_REGION", "AWS_DEFAULT_REGION"), "us-east-1")},
        quirks=presets.BEDROCK,
        unlisted=r"amazonaws\.com/openai/v1$",
    ),
)

_OWN: Final = (
    Kind(
        "ollama",
        continues=True,
        dialect="ollama",
        base_url="http://localhost:11434",
        default_model="llama3.2",
        key_required=False,
        capabilities=CONVERSATION | _EMBEDDING,
        url_variables=("OLLAMA_URL", "OLLAMA_HOST"),
        dialect_urls={
            "openai_chat": "http://localhost:11434/v1",
            "openai_responses": "http://localhost:11434/v1",
            "anthropic": "http://localhost:11434/v1",
        },
        embedding_model="nomic-embed-text",
    ),
    Kind(
        "lmstudio",
        base_url="http://localhost:1234/v1",
        key_required=False,
        capabilities=CONVERSATION | _EMBEDDING,
        quirks=presets.LMSTUDIO,
    ),
    # A llama.cpp server has one model loaded and accepts any name for it.
    Kind(
        "llamacpp",
        continues=True,
        base_url="http://localhost:8080/v1",
        default_model="default",
        key_required=False,
        capabilities=CONVERSATION | _EMBEDDING | _AUDIO,
        quirks=presets.LLAMACPP,
    ),
    # Version 0.32 refuses a fifth stop string.
    Kind(
        "vllm",
        base_url="http://localhost:8000/v1",
        key_required=False,
        capabilities=CONVERSATION | _EMBEDDING | _AUDIO,
        quirks=presets.VLLM,
        limits=DocumentedLimits(stop=4),
    ),
    Kind(
        "openai_compatible",
        key_required=False,
        capabilities=CONVERSATION | _EMBEDDING | _AUDIO | _FILES,
        versioned=True,
    ),
    Kind(
        "simulated",
        continues=True,
        dialect=None,
        default_model="simulated",
        key_required=False,
        capabilities=CONVERSATION | _EMBEDDING | _MODERATION,
        embedding_model="simulated-embedding",
        moderation_model="simulated-moderation",
    ),
    # What a class of the user's own offers besides a conversation, its methods say.
    Kind(
        "custom",
        dialect=None,
        key_required=False,
        capabilities=CONVERSATION | _EMBEDDING | _MODERATION | _AUDIO | _FILES,
    ),
)

KINDS: Final[Mapping[str, Kind]] = MappingProxyType({kind.name: kind for kind in (*_CLOUD, *_OWN)})
"""Every kind by name; their order is the order of preference of an empty configuration."""

"""What a provider can be asked to do."""

import enum


class Capability(enum.Enum):
    """An ability that a provider declares and a request may need.

    A provider that declares no capabilities is taken to have those of its
    kind. One that declares some is skipped for a request that needs another.
    """

    TEXT_GENERATION = "text_generation"
    CHAT = "chat"
    CODE_GENERATION = "code_generation"
    TRANSLATION = "translation"
    SUMMARIZATION = "summarization"
    EMBEDDING = "embedding"
    IMAGE_GENERATION = "image_generation"
    AUDIO_GENERATION = "audio_generation"
    VIDEO_GENERATION = "video_generation"
    MODERATION = "moderation"
    TOOLS = "tools"
    VISION = "vision"
    AUDIO_INPUT = "audio_input"
    FILE_INPUT = "file_input"
    STRUCTURED_OUTPUT = "structured_output"

"""Error texts that are fit to be shown: short, on one line, without secrets."""

import re

_LIMIT = 500
_SECRETS = (
    # The prefixes that providers give their keys so that scanners find them.
    re.compile(
        r"()\b(?:(?:sk|pk|rk)-[\w*.-]{4,}"
        r"|(?:hf|gsk|csk|r8|fw|pplx|xai|nvapi|tgp|dapi)[_-][\w*.-]{6,}"
        r"|(?:sk|gh[opsur]|github_pat|cfat|cfut)_[\w-]{6,}|dapi[0-9a-f]{16,}"
        r"|AIza[\w-]{10,}|(?:AQ|ya29)\.[\w-]{6,}|A(?:KIA|SIA)[A-Z0-9]{8,}"
        r"|ABSK[\w+/=]{10,}|bedrock-api-key-[\w+/=-]{6,}"
        # Words begin so, too: only what is long and holds a figure is a key.
        r"|co-(?=[\w-]*\d)[\w-]{16,}"
        r"|eyJ[\w-]{8,}(?:\.[\w-]+)*)"
    ),
    # Whatever stands where a key is named.
    re.compile(
        r"(\bbearer\s+)(?!(?:tokens?|keys?|authentication|authorization)(?:[\s.,;:]|$))"
        r"[^\s\"',;]+",
        re.IGNORECASE,
    ),
    re.compile(
        r"(\b(?:x-)?(?:goog-)?(?:api|subscription)[-_ ]?key(?: provided)?"
        r"[\"']?\s*[:=]\s*[\"']?)[^\s\"',;&]+",
        re.IGNORECASE,
    ),
    re.compile(
        r"((?:\b|_)(?:authorization|access[-_ ]token|api[-_ ]token|secret|password)"
        r"[\"']?\s*[:=]\s*[\"']?(?:basic\s+|token\s+)?)(?!bearer\b)[^\s\"',;&]+",
        re.IGNORECASE,
    ),
    re.compile(r"([?&](?:key|token)=)[^\s\"'&]+", re.IGNORECASE),
)


def presentable(text: str) -> str:
    """Give `text` on one line of at most 500 characters, with what looks like a key masked."""
    # Far more than is kept, so that a key cut in the middle is masked all the same.
    text = " ".join(text[: 8 * _LIMIT].split())
    for secret in _SECRETS:
        text = secret.sub(r"\1[redacted]", text)
    text = "".join([char if char.isprintable() else "?" for char in text])
    return text if len(text) <= _LIMIT else text[: _LIMIT - 3] + "..."

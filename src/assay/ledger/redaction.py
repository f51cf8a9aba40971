"""What must not be kept: keys never, content only where the settings allow it.

Two passes over the attributes of a span before they are stored. Keys first: values under names
such as `authorization`, strings that look like credentials of the usual services, and the secrets
this process was told about are replaced, whatever the settings say. Then, with
`record_content = false`, whatever may carry content is replaced by its length: the names of
`conventions.CONTENT`, and any other string that is not a short single word, so that an attribute
somebody adds tomorrow does not leak by being new.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from assay.ledger.conventions import CONTENT

REDACTED = "[redacted]"

_SECRET_NAMES = re.compile(
    r"(?:^|[._-])(?:authorization|cookie|password|passwd|secret|secret_key|token|access_token|api_?key|credentials?)$",
    re.IGNORECASE,
)

# OpenAI, Anthropic, OpenRouter; Google; GitHub; GitLab; Slack; AWS; Hugging Face; Groq; Replicate; Perplexity; xAI;
# NVIDIA; JSON web tokens; private keys.
_PREFIXES = (
    *("sk-", "AIza", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox", "AKIA", "ASIA"),
    *("hf_", "gsk_", "r8_", "pplx-", "xai-", "nvapi-", "eyJ", "PRIVATE KEY"),
)
_KEYS = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"sk-[A-Za-z0-9_-]{16,}"
    r"|AIza[A-Za-z0-9_-]{30,}"
    r"|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,}"
    r"|A(?:KIA|SIA)[A-Z0-9]{16}"
    r"|hf_[A-Za-z0-9]{20,}|gsk_[A-Za-z0-9]{20,}|r8_[A-Za-z0-9]{20,}|pplx-[A-Za-z0-9]{20,}"
    r"|xai-[A-Za-z0-9]{20,}|nvapi-[A-Za-z0-9_-]{20,}"
    r"|eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{5,}"
    r"|-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[\s\S]{0,10000}?(?:-----END [A-Z ]{0,20}PRIVATE KEY-----|\Z)"
    r")"
)
_LABELS = ("api_key", "api-key", "api key", "apikey", "secret", "passw", "access_token", "access-token")
_LABELLED = re.compile(
    r"((?:api[ _-]?key|secret|password|passwd|access[_-]?token)[\"']?\s{0,3}[:=]\s{0,3}[\"']?)[^\s\"',;&]{6,}",
    re.IGNORECASE,
)
_SCHEMES = re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_URL_PASSWORDS = re.compile(r"(://[^\s/:@]{0,200}:)[^\s/@]{1,200}@")
_WORD = re.compile(r"[\w.:/@+-]{1,100}")
_SHORTEST_KEY = 12


def without_keys(text: str, *, secrets: Iterable[str] = ()) -> str:
    """`text` with everything that looks like a credential, and each of `secrets`, replaced."""
    for secret in secrets:
        text = text.replace(secret, REDACTED)
    if len(text) < _SHORTEST_KEY:
        return text
    # Finding a literal is some fifty times faster than the patterns; prose rarely holds one.
    if any(prefix in text for prefix in _PREFIXES):
        text = _KEYS.sub(REDACTED, text)
    lowered = text.lower()
    if "bearer" in lowered or "basic" in lowered:
        text = _SCHEMES.sub(rf"\1 {REDACTED}", text)
    if any(label in lowered for label in _LABELS):
        text = _LABELLED.sub(rf"\1{REDACTED}", text)
    if "://" in text and "@" in text:
        text = _URL_PASSWORDS.sub(rf"\1{REDACTED}@", text)
    return text


def storable(attributes: Mapping[str, Any], *, record_content: bool, secrets: Iterable[str] = ()) -> dict[str, Any]:
    """The attributes as they may be stored. Content that may not be kept becomes `<name>.length`:
    characters of a string, items of a list."""
    kept: dict[str, Any] = {}
    for name, value in attributes.items():
        if isinstance(value, (bool, int, float)):
            kept[name] = value
        elif _is_secret_name(name):
            kept[name] = REDACTED
        elif not record_content and _carries_content(name, value):
            kept[f"{name}.length"] = len(value)
        else:
            kept[name] = _cleaned(value, secrets)
    return kept


@lru_cache(1024)
def _is_secret_name(name: str) -> bool:
    return _SECRET_NAMES.search(name) is not None


def _carries_content(name: str, value: Any) -> bool:
    if name in CONTENT:
        return True
    if isinstance(value, str):
        return not _WORD.fullmatch(value)
    return any(isinstance(item, str) and not _WORD.fullmatch(item) for item in value)


def _cleaned(value: Any, secrets: Iterable[str]) -> Any:
    if isinstance(value, str):
        return without_keys(value, secrets=secrets)
    return [without_keys(item, secrets=secrets) if isinstance(item, str) else item for item in value]

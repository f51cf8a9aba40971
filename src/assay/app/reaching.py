"""Whether the servers that a system needs are there, found out without a call that anybody is paid for.

A server is there where it answers anything at all; a model is refused where its server lists its models and it is none
of them, or where the key is not accepted. Proved by `tests/unit/app/test_reaching.py`.
"""

import os
from collections.abc import Mapping
from fnmatch import fnmatchcase

from yarl import URL

from assay.errors import BadSetting, Garbled, RateLimited, Refused, Upstream
from assay.evals.systems.http import Call, Endpoint, checked_url
from assay.models.settings import ModelSettings

_SECONDS = 10.0
_LARGEST_LISTING_MB = 16.0
_NOT_THERE = frozenset({502, 503, 504})  # what stands before a server says so of it
_SHOWN = 8


async def reach(url: URL) -> None:
    """Raise Refused or TimedOut where nobody answers at the origin of `url`."""
    endpoint = _endpoint()
    try:
        await endpoint.json(Call("HEAD", url.origin(), {}))
    except Upstream as error:
        if not _has_answered(error):
            raise
    finally:
        await endpoint.aclose()


async def reach_chat(settings: ModelSettings, *, environ: Mapping[str, str] | None = None) -> None:
    """Raise Refused, TimedOut or BadSetting where the remote chat model of `settings` cannot be called."""
    key = (os.environ if environ is None else environ).get(settings.chat_key_env, "").strip()
    base = checked_url(settings.chat_base_url, where="models.chat_base_url")
    endpoint = _endpoint(key=key, key_hint=f"Set {settings.chat_key_env} to a valid key.")
    try:
        listing = Call("GET", base / "models", {"Authorization": f"Bearer {key}"} if key else {})
        names = _names(await endpoint.json(listing))
    except Upstream as error:
        is_shut_out = isinstance(error, Refused) and error.status in (401, 403)
        if is_shut_out or not _has_answered(error):
            raise
        return  # a server need not list its models
    finally:
        await endpoint.aclose()
    if names and not any(_is_named(settings.chat, name) for name in names):
        more = ", ..." if len(names) > _SHOWN else ""
        raise BadSetting(
            f"{base.host_port_subcomponent} has no model {settings.chat} (models.chat).",
            hint=f"Name one that it lists: {', '.join(names[:_SHOWN])}{more}",
        )


def _endpoint(*, key: str = "", key_hint: str = "") -> Endpoint:
    return Endpoint(
        timeout_seconds=_SECONDS,
        max_retries=0,
        largest_reply_mb=_LARGEST_LISTING_MB,
        secrets=(key,),
        key_hint=key_hint,
    )


def _has_answered(error: Upstream) -> bool:
    """Whether the server itself said something, be it no."""
    if isinstance(error, Refused):
        return error.status is not None and error.status not in _NOT_THERE
    if isinstance(error, Garbled):
        return error.__cause__ is None  # else it was no HTTP at all, or a proxy's refusal
    return isinstance(error, RateLimited)


def _names(listed: object) -> list[str]:
    rows = listed.get("data") if isinstance(listed, Mapping) else None
    found = rows if isinstance(rows, list) else []
    return [str(row["id"]) for row in found if isinstance(row, Mapping) and row.get("id")]


def _is_named(wanted: str, listed: str) -> bool:
    """Whether a listed name may stand for the wanted one: Ollama adds a tag, and gateways list patterns."""
    return listed == wanted or listed.startswith(f"{wanted}:") or fnmatchcase(wanted, listed)

"""What a model server's failures mean: the one seam where HTTP statuses and aiohttp's exceptions become our errors."""

import contextlib
import email.utils
import json
import re
import time
from collections.abc import Mapping

import aiohttp

from assay.errors import AssayError, BadInput, Garbled, RateLimited, Refused, TimedOut, Upstream

_TOO_LONG = re.compile(r"context.?length|context.?size|maximum context|context window|too many tokens", re.IGNORECASE)
_MESSAGE_CHARACTERS = 200


def from_status(
    status: int, body: str, headers: Mapping[str, str], *, server: str, key: str = "", key_source: str = ""
) -> AssayError:
    """The error for an answer with `status`. `key` is only used to take it out of what the server said."""
    said, code = _said(body)
    said = _one_line(said.replace(key, "***") if key else said)
    source = key_source or "the key"
    if status == 401:
        what = "does not accept the key" if key else "wants a key and none is set"
        return Refused(f"{server} {what}.", hint=f"Set {source} to a valid key.", status=status)
    if status == 403:
        return Refused(
            f"{server} forbids this: {said}", hint=f"Check what the key in {source} is allowed to use.", status=status
        )
    if status == 404:
        return Refused(
            f"{server} does not know the model or the path: {said}",
            hint="Check the model's name and the base URL; it often ends in /v1.",
            status=status,
        )
    if status == 429:
        return _rate_limited(server, said, code, headers)
    if status in (400, 413, 422):
        if status == 413 or code == "context_length_exceeded" or _TOO_LONG.search(f"{code} {said}"):
            return BadInput(
                f"The prompt does not fit the model at {server}: {said}", hint="Send less, or set a larger window."
            )
        return BadInput(f"{server} does not accept the request: {said}", hint="Change what the message names.")
    if status in (408, 504):
        return TimedOut(f"{server} gave no answer in time (HTTP {status}).", hint="Try again later.")
    hint = "Try again later; the fault is the server's." if status >= 500 else "Check the base URL."
    return Refused(f"{server} failed with HTTP {status}: {said}", hint=hint, status=status)


def from_exception(error: BaseException, *, server: str, seconds: float) -> Upstream:
    """The error for a call that got no answer."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return TimedOut(f"{server} did not accept a connection in time.", hint="Check the base URL and the network.")
    if isinstance(error, TimeoutError):
        return TimedOut(
            f"{server} gave no answer in {seconds:g} s.", hint="Try again, or raise models.timeout_seconds."
        )
    if isinstance(error, aiohttp.ClientSSLError):
        return Refused(
            f"{server} has a TLS certificate that cannot be verified.",
            hint="Check the base URL's host name and this machine's certificates.",
        )
    if isinstance(error, aiohttp.ClientConnectorError):
        return Refused(
            f"{server} cannot be reached: {_one_line(error.strerror or str(error.os_error))}.",
            hint="Check the base URL, and that the server runs.",
        )
    if isinstance(error, aiohttp.ClientPayloadError):
        return Garbled(f"{server} broke off in the middle of its answer.", hint="Try again.")
    if isinstance(error, aiohttp.ClientOSError | aiohttp.ServerDisconnectedError | ConnectionError):
        return Refused(f"{server} closed the connection without an answer.", hint="Try again; see the server's log.")
    return Garbled(f"{server} does not speak HTTP as expected: {_one_line(str(error))}.", hint="Check the base URL.")


def _rate_limited(server: str, said: str, code: str, headers: Mapping[str, str]) -> Upstream:
    if code == "insufficient_quota":  # waiting does not help
        return Refused(
            f"{server}: the quota of this key is used up.", hint="Add credit, or use another key.", status=429
        )
    return RateLimited(
        f"{server} asks to slow down: {said}",
        hint="Wait, or send fewer requests at once.",
        retry_after_seconds=_retry_after_seconds(headers),
    )


def _retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Retry-After as seconds or as an HTTP date; also the milliseconds form some servers send."""
    with contextlib.suppress(KeyError, ValueError):
        return max(0.0, float(headers["Retry-After-Ms"]) / 1000)
    value = headers.get("Retry-After", "")
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError):
        return None


def _said(body: str) -> tuple[str, str]:
    """What the server said and its error code, from the shapes servers use, or from plain text."""
    try:
        error = json.loads(body)
    except ValueError:
        return re.sub(r"<[^>]*>", " ", body), ""
    if isinstance(error, dict):
        error = error.get("error", error.get("detail", error))
    if isinstance(error, dict):
        return str(error.get("message", error)), str(error.get("code") or error.get("type") or "")
    return str(error), ""


def _one_line(text: str) -> str:
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= _MESSAGE_CHARACTERS else line[: _MESSAGE_CHARACTERS - 1] + "…"

"""Stand around the whole app: answer only to our own name, and let no other site act in the user's name.

A page served on loopback is reachable by every site the user visits: through a form or `fetch`, through
a websocket, which no same-origin policy covers, and through a name that is made to point at 127.0.0.1
(DNS rebinding). So a request is refused

- when its `Host` is not one of the allowed names, where there is a list of them (421),
- when it could change something or is a websocket and comes from another origin (403).

Programs that are no browsers send no `Origin` and pass. HTML leaves with a content security policy that
lets nothing load from or be sent to another host. Proved by `tests/unit/web/test_guard.py`.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# The page's own channel: its long-polling form reads and writes with GET.
_CHANNEL = "/_nicegui_ws"

# 'unsafe-inline' and 'unsafe-eval' are NiceGUI's: without them the page stays blank. What is inline is
# ours; text from documents and models is escaped, and then sanitised in the browser.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_HTML_HEADERS = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-frame-options", b"DENY"),
)


def allowed_hosts(host: str, more: Iterable[str] = ()) -> frozenset[str] | None:
    """The host names to answer to when bound to `host`; None, any, where it is not loopback and `more` is empty.

    On an address others can reach, only whoever runs the server knows the names it is called by.
    """
    named = frozenset(name.strip().strip("[]").rstrip(".").lower() for name in more if name.strip())
    bound = host.strip("[]").lower()
    if bound in LOOPBACK_HOSTS or bound.startswith("127."):
        return LOOPBACK_HOSTS | {bound} | named
    return LOOPBACK_HOSTS | {bound} | named if named else None


class Guard:
    """ASGI middleware. `hosts` are names without port, or None for any; `origins` are other origins let in, whole."""

    def __init__(self, app: ASGIApp, *, hosts: frozenset[str] | None, origins: Iterable[str] = ()) -> None:
        self._app = app
        self._hosts = hosts
        self._origins = frozenset(origin.rstrip("/").lower() for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on and add the headers."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await _refuse(scope, receive, send, *refusal)
            return
        await self._app(scope, receive, _with_headers(send) if scope["type"] == "http" else send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = _headers(scope)
        hosts = headers.get("host", [])
        if len(hosts) != 1 or (host := _parse(f"//{hosts[0]}")) is None:
            return 400, "The request names no host, or several."
        if self._hosts is not None and host[0] not in self._hosts:
            return 421, (
                f"This server does not answer to the name {host[0]!r}. "
                "Open it as localhost, or add the name to the setting server.allowed_hosts."
            )
        if not _acts(scope):
            return None
        origins = headers.get("origin", [])
        foreign = any(not self._is_ours(origin, host) for origin in origins)
        if foreign or (not origins and headers.get("sec-fetch-site", ["none"])[0] == "cross-site"):
            return 403, "This request comes from another site, and was refused."
        return None

    def _is_ours(self, origin: str, host: tuple[str, int | None]) -> bool:
        return origin.rstrip("/").lower() in self._origins or _parse(origin) == host


def _acts(scope: Scope) -> bool:
    """Whether the request may change something, or opens a channel that may."""
    return scope["type"] == "websocket" or scope["method"] not in _SAFE_METHODS or scope["path"].startswith(_CHANNEL)


def _headers(scope: Scope) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return found


def _parse(url: str) -> tuple[str, int | None] | None:
    """(host, port) of an origin or of `//host:port`; port None for those of http and https; None for anything else."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host or parts.username is not None or parts.path.strip("/") or parts.query or parts.fragment:
        return None
    return host.rstrip("."), None if port in (80, 443) else port


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            present = {name.lower() for name, _ in headers}
            is_html = any(name.lower() == b"content-type" and value.startswith(b"text/html") for name, value in headers)
            added = _HEADERS + (_HTML_HEADERS if is_html else ())
            message = {**message, "headers": headers + [pair for pair in added if pair[0] not in present]}
        await send(message)

    return sending


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, text: str) -> None:
    if scope["type"] == "websocket":
        await receive()
        # Closed before it was accepted: the server answers the handshake with 403.
        await send({"type": "websocket.close", "code": 1008})
        return
    body = text.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

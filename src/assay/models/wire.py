"""JSON over HTTP to a model server: retries, timeouts, server-sent events, and every failure as one of ours.

The key travels in the Authorization header and appears in no message, log or repr. Leaving a stream closes its
connection, which is how a server learns that nobody listens any more.
"""

import asyncio
import contextlib
import json
import random
import urllib.request
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any, TypeVar

import aiohttp
from yarl import URL

from assay.errors import BadSetting, Garbled, RateLimited, Refused, TimedOut, Upstream
from assay.models.refusals import from_exception, from_status

T = TypeVar("T")

_RETRIED_STATUSES = frozenset({None, 408, 500, 502, 503, 504, 529})
_LONGEST_RETRY_AFTER_SECONDS = 60.0
_LONGEST_BACKOFF_SECONDS = 8.0
_LARGEST_ANSWER_BYTES = 256 << 20
_CONNECTIONS = 256


class Wire:
    """A server at `base_url`. Waits between retries grow from `backoff_seconds`, jittered; Retry-After goes first."""

    def __init__(
        self,
        base_url: str,
        *,
        key: str | None = None,
        key_source: str = "",
        timeout_seconds: float = 60.0,
        connect_timeout_seconds: float = 5.0,
        max_retries: int = 2,
        backoff_seconds: float = 0.5,
    ) -> None:
        self._url = _checked_url(base_url)
        self._key, self._key_source = key, key_source
        self._timeout_seconds, self._connect_timeout_seconds = timeout_seconds, connect_timeout_seconds
        self._max_retries, self._backoff_seconds = max_retries, backoff_seconds
        self._session: tuple[asyncio.AbstractEventLoop, aiohttp.ClientSession] | None = None

    @property
    def server(self) -> str:
        """The server as messages name it: host and port, without path or credentials."""
        return self._url.host_port_subcomponent or str(self._url.host)

    async def post(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """The JSON object the server answers. The whole call takes at most `timeout_seconds` a try."""

        async def attempt() -> Mapping[str, Any]:
            async with self._open(path, body, total_seconds=self._timeout_seconds) as response:
                return self._parsed(await self._read(response))

        return await self._with_retries(attempt)

    async def stream(self, path: str, body: Mapping[str, Any]) -> AsyncGenerator[Mapping[str, Any], None]:
        """The JSON objects of a server-sent event stream. Retries until it opens, never after.

        `timeout_seconds` is the longest silence between two pieces, not the length of the whole.
        """
        async with contextlib.AsyncExitStack() as stack:

            async def attempt() -> aiohttp.ClientResponse:
                return await stack.enter_async_context(self._open(path, body, total_seconds=None))

            response = await self._with_retries(attempt)
            with self._translated():
                async for event in _events(response.content):
                    if event == "[DONE]":
                        return
                    chunk = self._parsed(event)
                    if "error" in chunk:
                        raise from_status(_status_in(chunk), json.dumps(chunk), {}, **self._context())
                    yield chunk

    async def aclose(self) -> None:
        """Close the connections. Safe to call twice."""
        if self._session is not None:
            session, self._session = self._session[1], None
            await session.close()

    def __repr__(self) -> str:
        return f"Wire({self.server})"

    # --- one call -----------------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _open(
        self, path: str, body: Mapping[str, Any], *, total_seconds: float | None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        timeout = aiohttp.ClientTimeout(
            total=total_seconds, sock_connect=self._connect_timeout_seconds, sock_read=self._timeout_seconds
        )
        proxy, proxy_auth = proxy_of(self._url)
        with self._translated():
            async with self._client().post(
                self._url.joinpath(path.lstrip("/")),
                data=json.dumps(body).encode(),
                headers=self._headers(),
                timeout=timeout,
                proxy=proxy,
                proxy_auth=proxy_auth,
                allow_redirects=False,
            ) as response:
                if response.status != 200:
                    text = (await response.content.read(20_000)).decode("utf-8", "replace")
                    raise from_status(response.status, text, response.headers, **self._context())
                yield response  # aiohttp closes the connection of an answer that was not read to its end

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise from_exception(error, server=self.server, seconds=self._timeout_seconds) from error

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        return headers | ({"Authorization": f"Bearer {self._key}"} if self._key else {})

    def _context(self) -> dict[str, str]:
        return {"server": self.server, "key": self._key or "", "key_source": self._key_source}

    def _client(self) -> aiohttp.ClientSession:
        """One session per event loop: aiohttp binds its connections to the loop that made them."""
        loop = asyncio.get_running_loop()
        if self._session is None or self._session[0] is not loop or self._session[1].closed:
            connector = aiohttp.TCPConnector(limit=_CONNECTIONS)
            self._session = loop, aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return self._session[1]

    async def _read(self, response: aiohttp.ClientResponse) -> str:
        pieces, size = [], 0
        async for piece in response.content.iter_any():
            size += len(piece)
            if size > _LARGEST_ANSWER_BYTES:
                raise Garbled(f"{self.server} sent more than {_LARGEST_ANSWER_BYTES >> 20} MB.", hint="Check base_url.")
            pieces.append(piece)
        return b"".join(pieces).decode("utf-8", "replace")

    def _parsed(self, text: str) -> Mapping[str, Any]:
        try:
            value = json.loads(text)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise Garbled(
                f"{self.server} answered something that is not a JSON object: {text[:60]!r}.",
                hint="Check that the base URL is that of an OpenAI-compatible server; it often ends in /v1.",
            )
        return value

    # --- retries ------------------------------------------------------------------------------------------------------

    async def _with_retries(self, attempt: Callable[[], Awaitable[T]]) -> T:
        for tried in range(self._max_retries + 1):
            try:
                return await attempt()
            except Upstream as error:
                wait_seconds = self._wait_seconds(error, tried)
                if wait_seconds is None:
                    raise
            await asyncio.sleep(wait_seconds)
        raise AssertionError("the last try returns or raises")

    def _wait_seconds(self, error: Upstream, tried: int) -> float | None:
        if tried >= self._max_retries:
            return None
        if isinstance(error, TimedOut):
            return backoff(tried, self._backoff_seconds)
        return wait_seconds(error, tried, self._backoff_seconds)


def wait_seconds(error: Upstream, tried: int, backoff_seconds: float) -> float | None:
    """How long to wait before another try after a refusal; None where waiting does not help. Retry-After goes first."""
    if isinstance(error, RateLimited) and error.retry_after_seconds is not None:
        asked = error.retry_after_seconds
        return asked if asked <= _LONGEST_RETRY_AFTER_SECONDS else None
    if isinstance(error, RateLimited) or (isinstance(error, Refused) and error.status in _RETRIED_STATUSES):
        return backoff(tried, backoff_seconds)
    return None


def backoff(tried: int, backoff_seconds: float) -> float:
    """Seconds that grow with every try, jittered: it spreads clients out."""
    longest: float = min(backoff_seconds * 2**tried, _LONGEST_BACKOFF_SECONDS)
    return longest * (0.5 + random.random() / 2)  # noqa: S311  guards nothing


async def _events(content: aiohttp.StreamReader) -> AsyncIterator[str]:
    """The data of each server-sent event. Lines may be of any length and end in LF or CRLF."""
    pending, data = b"", []
    async for piece in content.iter_any():
        *lines, pending = (pending + piece).split(b"\n")
        for line in lines:
            text = line.rstrip(b"\r").decode("utf-8", "replace")
            if text.startswith("data:"):
                data.append(text[5:].removeprefix(" "))
            elif not text and data:
                yield "\n".join(data)
                data = []
    rest = pending.decode("utf-8", "replace").strip()
    if rest.startswith("data:"):
        data.append(rest[5:].strip())
    if data:
        yield "\n".join(data)


def _status_in(chunk: Mapping[str, Any]) -> int:
    error = chunk["error"]
    code = error.get("code") if isinstance(error, Mapping) else None
    return code if isinstance(code, int) and 400 <= code < 600 else 500


def _checked_url(base_url: str) -> URL:
    try:
        url = URL(base_url.rstrip("/"))
    except ValueError:
        url = URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise BadSetting(
            f"The base URL {base_url!r} is not one.", hint="Give it as http://host:port/v1 or https://host/v1."
        )
    return url


def proxy_of(url: URL) -> tuple[URL | None, aiohttp.BasicAuth | None]:
    """The proxy the environment names for `url`.

    aiohttp's own `trust_env` also reads ~/.netrc, and a password there for the host makes every call with a key fail.
    """
    found = urllib.request.getproxies().get(url.scheme)
    if not found or urllib.request.proxy_bypass(str(url.host)):
        return None, None
    proxy = URL(found)
    auth = aiohttp.BasicAuth(proxy.user, proxy.password or "") if proxy.user else None
    return proxy.with_user(None), auth

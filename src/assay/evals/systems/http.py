"""One JSON call to somebody's server: retries, time limit, size limit, and every failure as one of ours.

Secrets travel in headers, URL and body and appear in no message. Redirects are followed on the same server only: a
question and a key are not for whoever a reply names. A call that timed out is not sent again, for the server may still
be at it and be paid. Proved by `tests/unit/evals/test_systems_http.py`.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

from assay.errors import AssayError, BadInput, BadSetting, Garbled, Refused, TimedOut, Upstream
from assay.models.refusals import from_exception, from_status
from assay.models.wire import proxy_of, wait_seconds

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_CONNECT_SECONDS = 10.0
_CONNECTIONS = 256
_REFUSAL_BYTES = 20_000


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `body` None sends none."""

    method: str
    url: URL
    headers: Mapping[str, str]
    body: Any = None


class Endpoint:
    """Sends calls and reads JSON. `secrets` are taken out of whatever the server says."""

    def __init__(
        self,
        *,
        timeout_seconds: float,
        max_retries: int,
        largest_reply_mb: float,
        secrets: tuple[str, ...] = (),
        key_hint: str = "Check the headers and keys of the system.",
        backoff_seconds: float = 0.5,
    ) -> None:
        self._timeout_seconds, self._max_retries = timeout_seconds, max_retries
        self._largest_bytes = int(largest_reply_mb * (1 << 20))
        self._secrets = tuple(sorted((secret for secret in secrets if secret), key=len, reverse=True))
        self._key_hint = key_hint
        self._backoff_seconds = backoff_seconds
        self._session: tuple[asyncio.AbstractEventLoop, aiohttp.ClientSession] | None = None

    async def json(self, call: Call) -> Any:
        """The JSON the server answers. Raises Upstream errors."""
        for tried in range(self._max_retries + 1):
            try:
                return await self._once(call)
            except Upstream as error:
                # A call that timed out is not sent again: the server may still be at it, and be paid.
                pause = None if tried == self._max_retries else wait_seconds(error, tried, self._backoff_seconds)
                if pause is None:
                    raise
            await asyncio.sleep(pause)
        raise AssertionError("the last try returns or raises")

    async def aclose(self) -> None:
        """Close the connections. Safe to call twice."""
        if self._session is not None:
            session, self._session = self._session[1], None
            await session.close()

    async def _once(self, call: Call) -> Any:
        server = server_of(call.url)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await self._followed(call)
        except TimeoutError as error:
            if isinstance(error, aiohttp.ServerTimeoutError):
                raise from_exception(error, server=server, seconds=_CONNECT_SECONDS) from error
            raise TimedOut(
                f"{server} gave no answer in {self._timeout_seconds:g} s.",
                hint="Raise the system's timeout_seconds, or ask fewer questions at once.",
            ) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self._clean(from_exception(error, server=server, seconds=self._timeout_seconds)) from error

    async def _followed(self, call: Call) -> Any:
        for _hop in range(_MOST_REDIRECTS + 1):
            proxy, proxy_auth = proxy_of(call.url)
            async with self._client().request(
                call.method,
                call.url,
                data=None if call.body is None else json.dumps(call.body).encode(),
                headers=self._headers(call),
                proxy=proxy,
                proxy_auth=proxy_auth,
                allow_redirects=False,
            ) as response:
                if response.status in _REDIRECTS:
                    call = self._redirected(call, response)
                    continue
                if not 200 <= response.status < 300:
                    text = (await response.content.read(_REFUSAL_BYTES)).decode("utf-8", "replace")
                    raise self._refusal(response.status, text, response.headers, server_of(call.url))
                return self._parsed(await self._read(response, call.url), call.url)
        raise Refused(f"{server_of(call.url)} redirects without end.", hint="Check the system's url.")

    @staticmethod
    def _headers(call: Call) -> dict[str, str]:
        body = {} if call.body is None else {"Content-Type": "application/json"}
        return {"Accept": "application/json", **body, **call.headers}

    def _redirected(self, call: Call, response: aiohttp.ClientResponse) -> Call:
        server = server_of(call.url)
        target = call.url.join(URL(response.headers.get("Location", "")))
        there = self._hidden(str(target.with_query(None)))
        if target.origin() != call.url.origin():
            raise Refused(
                f"{server} redirects to {there}.",
                hint="Set url to where the system really is.",
                status=response.status,
            )
        if call.method != "GET" and response.status not in (307, 308):
            raise Refused(
                f"{server} redirects to {there} with HTTP {response.status}, which drops the question.",
                hint="Set url to that address.",
                status=response.status,
            )
        return Call(call.method, target, call.headers, call.body)

    async def _read(self, response: aiohttp.ClientResponse, url: URL) -> str:
        pieces, size = [], 0
        async for piece in response.content.iter_any():
            size += len(piece)
            if size > self._largest_bytes:
                raise Garbled(
                    f"{server_of(url)} sent more than {self._largest_bytes / (1 << 20):.3g} MB.",
                    hint="Check the url, or raise the system's largest_reply_mb.",
                )
            pieces.append(piece)
        return b"".join(pieces).decode("utf-8", "replace")

    def _parsed(self, text: str, url: URL) -> Any:
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            shown = self._hidden(text)[:60]
        if not text.strip():
            raise Garbled(f"{server_of(url)} answered nothing.", hint="Check the url and the server's log.")
        hint = "Check the url: it must be the one that answers in JSON."
        if text.lstrip().startswith(("data:", "event:")):
            hint = "Turn streaming off: the whole answer must be one JSON value."
        raise Garbled(f"{server_of(url)} answered something that is not JSON: {shown!r}.", hint=hint)

    def _refusal(self, status: int, text: str, headers: Mapping[str, str], server: str) -> AssayError:
        """`from_status`, in the words of a system and never as a mistake of whoever asked the question."""
        found = from_status(status, text, headers, server=server)
        if status == 401:
            found = Refused(f"{server} does not let us in (HTTP 401).", hint=self._key_hint, status=status)
        elif status in (403, 404, 405):
            said = found.message.partition(": ")[2]
            hint = self._key_hint if status == 403 else "Check the system's url and method."
            found = Refused(f"{server} answered HTTP {status}: {said}", hint=hint, status=status)
        elif isinstance(found, BadInput):
            hint = "Check the request the system's file describes against the server's documentation."
            found = Refused(f"{found.message} (HTTP {status})", hint=hint, status=status)
        return self._clean(found)

    def _clean(self, error: AssayError) -> AssayError:
        error.message = self._hidden(error.message)
        error.args = (error.message,)
        return error

    def _hidden(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def _client(self) -> aiohttp.ClientSession:
        """One session per event loop: aiohttp binds its connections to the loop that made them."""
        loop = asyncio.get_running_loop()
        if self._session is None or self._session[0] is not loop or self._session[1].closed:
            connector = aiohttp.TCPConnector(limit=_CONNECTIONS)
            # The whole call has one limit of ours; aiohttp's own five minutes would cut longer ones off.
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS)
            jar = aiohttp.DummyCookieJar()
            self._session = loop, aiohttp.ClientSession(connector=connector, cookie_jar=jar, timeout=timeout)
        return self._session[1]


def server_of(url: URL) -> str:
    """The server as messages name it: host and port, without path, query or credentials."""
    return url.host_port_subcomponent or str(url.host)


def checked_url(text: str, *, where: str) -> URL:
    """`text` as an http or https URL. Raises BadSetting."""
    try:
        url = URL(text.strip())
    except ValueError:
        url = URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise BadSetting(f"{where}: {text!r} is no URL.", hint="Give it as http://host:port/path or https://host/path.")
    return url

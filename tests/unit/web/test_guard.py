from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from assay.app.web.guard import Guard, allowed_hosts

LOOPBACK = allowed_hosts("127.0.0.1")


async def inner(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html; charset=utf-8")]}
    )
    await send({"type": "http.response.body", "body": b"let in"})


async def sent(
    headers: list[tuple[str, str]],
    *,
    kind: str = "http",
    method: str = "GET",
    path: str = "/",
    hosts: frozenset[str] | None = LOOPBACK,
    origins: tuple[str, ...] = (),
) -> list[Message]:
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    async def receive() -> Message:
        return {"type": f"{kind}.connect"}

    scope: dict[str, Any] = {
        "type": kind,
        "path": path,
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
    }
    if kind == "http":
        scope["method"] = method
    await Guard(inner, hosts=hosts, origins=origins)(scope, receive, send)
    return messages


async def status(headers: list[tuple[str, str]], **options: Any) -> int:
    return int((await sent(headers, **options))[0]["status"])


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8321", "127.0.0.1:80", "[::1]:8321", "LOCALHOST", "localhost."]
)
async def test_our_own_names_are_answered(host: str) -> None:
    assert await status([("Host", host)]) == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8321", "localhost.evil.example", "127.0.0.1.nip.io", "0.0.0.0"]
)
async def test_a_name_pointed_at_us_is_refused(host: str) -> None:
    assert await status([("Host", host)]) == 421


@pytest.mark.parametrize("hosts", [[], ["localhost", "evil.example"], [""], ["a@localhost"], ["localhost/x"], ["[::1"]])
async def test_a_request_without_one_sound_host_is_refused(hosts: list[str]) -> None:
    assert await status([("Host", host) for host in hosts]) == 400
    assert await status([("Host", host) for host in hosts], hosts=None) == 400


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://localhost:9999", "null", "file://", "http://127.0.0.1:8321", ""]
)
async def test_other_origins_may_read_nothing_change_nothing_and_open_no_channel(origin: str) -> None:
    headers = [("Host", "localhost:8321"), ("Origin", origin)]
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert await status(headers, method=method) == 403
    assert await status(headers, path="/_nicegui_ws/socket.io/") == 403
    assert await sent(headers, kind="websocket") == [{"type": "websocket.close", "code": 1008}]


async def test_our_own_origin_may() -> None:
    headers = [("Host", "localhost:8321"), ("Origin", "http://localhost:8321"), ("Sec-Fetch-Site", "same-origin")]
    assert await status(headers, method="POST") == 200
    assert (await sent(headers, kind="websocket"))[0]["type"] == "websocket.accept"
    behind_tls = [("Host", "ask.example.org"), ("Origin", "https://ask.example.org")]
    assert await status(behind_tls, method="POST", hosts=allowed_hosts("0.0.0.0")) == 200


async def test_several_origins_are_only_as_good_as_the_worst() -> None:
    headers = [("Host", "localhost"), ("Origin", "http://localhost"), ("Origin", "http://evil.example")]
    assert await status(headers, method="POST") == 403


async def test_programs_without_origin_may_but_not_a_browser_that_hides_it() -> None:
    assert await status([("Host", "localhost")], method="POST") == 200
    cross = [("Host", "localhost"), ("Sec-Fetch-Site", "cross-site")]
    assert await status(cross, method="POST") == 403
    assert await status(cross, path="/_nicegui_ws/socket.io/") == 403
    assert await status(cross) == 200, "a link from another site may be followed"


async def test_origins_let_in_by_name_may() -> None:
    headers = [("Host", "localhost"), ("Origin", "https://tools.example.org")]
    assert await status(headers, method="POST", origins=("https://tools.example.org/",)) == 200
    assert (
        await status(
            [("Host", "localhost"), ("Origin", "http://tools.example.org")],
            method="POST",
            origins=("https://tools.example.org",),
        )
        == 403
    )


async def test_html_leaves_with_a_policy_that_lets_nothing_out() -> None:
    headers = dict((await sent([("Host", "localhost")]))[0]["headers"])
    policy = headers[b"content-security-policy"].decode()
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "http:" not in policy
    assert "*" not in policy
    assert headers[b"x-content-type-options"] == b"nosniff"


def test_the_names_follow_the_address() -> None:
    assert allowed_hosts("0.0.0.0") is None
    assert allowed_hosts("127.0.0.1") == {"localhost", "127.0.0.1", "::1"}
    assert allowed_hosts("[::1]") == {"localhost", "127.0.0.1", "::1"}
    assert allowed_hosts("127.0.0.1", ["Assay.Local", " "]) == {"localhost", "127.0.0.1", "::1", "assay.local"}
    assert allowed_hosts("192.168.1.5", ["assay.lan"]) == {"localhost", "127.0.0.1", "::1", "192.168.1.5", "assay.lan"}

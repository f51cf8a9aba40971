"""What a release needs is there before it serves: servers are reached, models are listed, and nobody is paid."""

import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from yarl import URL

from assay.app.reaching import reach, reach_chat
from assay.errors import BadSetting, Refused, Upstream
from assay.models.settings import ModelSettings


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@asynccontextmanager
async def serving(status: int, body: Any = None, **headers: str) -> AsyncIterator[tuple[str, list[tuple[str, str]]]]:
    asked: list[tuple[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append((request.method, request.path))
        text = body if isinstance(body, str) else json.dumps(body)
        return web.Response(status=status, text=text, headers=headers)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/v1", asked
    await runner.cleanup()


def nobody() -> str:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{held.getsockname()[1]}/v1"


@pytest.mark.parametrize("status", [200, 302, 401, 404, 405, 429, 500])
async def test_a_server_that_says_anything_is_there_and_is_not_asked(status: int) -> None:
    async with serving(status, "no JSON", Location="http://elsewhere.example/") as (url, asked):
        await reach(URL(url) / "chat/completions")
    assert asked == [("HEAD", "/")]


async def test_a_server_that_is_not_there_is_refused() -> None:
    with pytest.raises(Refused, match="cannot be reached"):
        await reach(URL(nobody()))
    with pytest.raises(Refused, match="cannot be reached"):
        await reach_chat(ModelSettings(chat="m", chat_base_url=nobody()))
    for status in (502, 503, 504):
        async with serving(status) as (url, _):
            with pytest.raises(Upstream):
                await reach(URL(url))


LISTED = {"data": [{"id": "llama3:latest"}, {"id": "gpt-x"}, {"id": "vendor/*"}]}


@pytest.mark.parametrize("named", ["gpt-x", "llama3", "llama3:latest", "vendor/anything"])
async def test_a_listed_model_is_there(named: str) -> None:
    async with serving(200, LISTED) as (url, asked):
        await reach_chat(ModelSettings(chat=named, chat_base_url=url))
    assert asked == [("GET", "/v1/models")]


async def test_a_model_its_server_does_not_list_and_a_key_it_does_not_take_are_refused() -> None:
    async with serving(200, LISTED) as (url, _):
        with pytest.raises(BadSetting, match="no model nosuch"):
            await reach_chat(ModelSettings(chat="nosuch", chat_base_url=url))
    for status in (401, 403):
        async with serving(status, "secret-key-here") as (url, _):
            with pytest.raises(Refused) as refused:
                await reach_chat(
                    ModelSettings(chat="m", chat_base_url=url, chat_key_env="K"), environ={"K": "secret-key-here"}
                )
            assert "secret-key-here" not in refused.value.message


@pytest.mark.parametrize(("status", "body"), [(404, {}), (200, "no JSON"), (200, {"data": None}), (200, {"data": []})])
async def test_a_server_need_not_list_its_models(status: int, body: Any) -> None:
    async with serving(status, body) as (url, _):
        await reach_chat(ModelSettings(chat="m", chat_base_url=url))

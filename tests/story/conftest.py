"""The page in a real browser, over a scripted workspace.

Every test that opens a page also holds it to its silence: no message in the console, no script error, no request to
anywhere but our own server.
"""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from assay.app.scripted import ScriptedService, sample_documents
from assay.app.web import mount
from assay.app.web.guard import Guard, allowed_hosts
from page_site import CHROMIUM, FLAGS, PHONE, WIDE, Open, Site, Watch


@pytest.fixture(scope="session")
def server() -> Iterator[Site]:
    """One for all modules: the page's framework is started once in a process."""
    service = ScriptedService()
    app = FastAPI(openapi_url=None, docs_url=None)
    # Mounted twice, as a process that builds its app again does: the second one must be the one that answers.
    mount(FastAPI(), ScriptedService(name="mounted before"))
    mount(app, service)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    guarded = Guard(app, hosts=allowed_hosts("127.0.0.1"))
    running = uvicorn.Server(uvicorn.Config(guarded, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=lambda: asyncio.run(running.serve(sockets=[listener])), daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.02)
    yield Site(f"http://127.0.0.1:{listener.getsockname()[1]}", service)
    running.should_exit = True
    thread.join(timeout=10)


@pytest.fixture
def site(server: Site) -> Site:
    """The server, its workspace as it was at first."""
    server.service.__init__(sample_documents())  # type: ignore[misc]
    return server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Closed after each module: its event loop must not be there while asynchronous tests run theirs."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def open_page(browser: Browser, site: Site) -> Iterator[Open]:
    watch = Watch(site)
    contexts: list[BrowserContext] = []

    def opened(path: str = "/", *, size: tuple[int, int] = WIDE, scheme: Any = "light") -> Page:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, has_touch=size == PHONE
        )
        context.set_default_timeout(8_000)
        contexts.append(context)
        page = context.new_page()
        watch.over(page)
        page.goto(site.url + path)
        page.wait_for_selector(".top .nav a", state="attached")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert watch.messages == []
    assert watch.outside == []

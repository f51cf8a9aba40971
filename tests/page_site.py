"""What the tests of the page share: the running server behind it, and what every view is asked and held to."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Page

from assay.answers.outcome import Citation
from assay.app.scripted import ScriptedService, cite

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
WIDE, PHONE = (1440, 900), (390, 844)
SIZES = pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
IN_BROWSER = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (apt-get install chromium)"),
]
EXTENDED = (
    "For orders placed between 15 November and 31 December the window is extended to 31 January of the following year."
)


@dataclass
class Site:
    """The running server, and the scripted workspace behind it."""

    url: str
    service: ScriptedService


@dataclass
class Watch:
    """What a page must not do: write to the console, or ask for anything outside its own server."""

    site: Site
    messages: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def over(self, page: Page) -> None:
        """Watch a page."""
        page.on("console", lambda message: self.messages.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.messages.append(str(error)))
        page.on("request", lambda request: self._note_outside(request.url))
        page.on("websocket", lambda channel: self._note_outside(channel.url.replace("ws://", "http://")))

    def _note_outside(self, url: str) -> None:
        if not url.startswith((self.site.url + "/", "data:")):
            self.outside.append(url)


Open = Callable[..., Page]
"""Opens a view: `open_page(path, size=WIDE, scheme="light")`."""


def ask(page: Page, question: str) -> None:
    box = page.locator(".question-box")
    box.fill(question)
    box.press("Enter")


def cited(service: ScriptedService, *quotes: str, **flags: Any) -> tuple[Citation, ...]:
    """Citations of sentences of the returns policy."""
    policy = service.held["policy"]
    hit = next(hit for hit in service.hits(policy.text) if hit.passage.document_id == "policy")
    return tuple(cite(n, hit, policy.text.index(quote), quote, **flags) for n, quote in enumerate(quotes, start=1))


def assert_no_overflow(page: Page) -> None:
    wide = page.evaluate(
        """() => [document.documentElement, ...document.querySelectorAll(".content, .log, .panel, .panel-scroll")]
            .filter((e) => e.offsetParent !== null || e === document.documentElement)
            .filter((e) => e.scrollWidth > e.clientWidth)
            .map((e) => `${e.className} ${e.scrollWidth} > ${e.clientWidth}`)"""
    )
    assert wide == []


def is_in_view(page: Page, selector: str) -> bool:
    return bool(
        page.evaluate(
            """(s) => { const r = document.querySelector(s).getBoundingClientRect();
                const p = document.querySelector(".panel-scroll").getBoundingClientRect();
                return r.top >= p.top && r.bottom <= p.bottom && r.left >= p.left && r.right <= p.right; }""",
            selector,
        )
    )

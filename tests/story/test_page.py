"""The page in a real browser, over a scripted workspace: what a user sees and does, at both widths.

Every test also holds the page to its silence: no message in the console, no script error, no request
to anywhere but our own server.
"""

import asyncio
import re
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from assay.answers.outcome import Answer, Citation, Declined
from assay.app.scripted import FETCHING, READY, Reply, ScriptedService, cite, sample_documents, view_of
from assay.app.service import IngestStatus
from assay.app.web import mount
from assay.app.web.guard import Guard, allowed_hosts
from assay.documents.document import Passage
from assay.errors import Refused
from assay.index.hit import Hit
from assay.models.chat import Usage

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
HOSTILE = (
    "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    "&lt;b&gt; **bold** [x](javascript:alert(1))"
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (apt-get install chromium)"),
]


@dataclass
class Site:
    """The running server, and the scripted workspace behind it."""

    url: str
    service: ScriptedService


@pytest.fixture(scope="module")
def server() -> Iterator[Site]:
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
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield launched
        launched.close()


@dataclass
class Watch:
    """What a page must not do."""

    messages: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)


Open = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, site: Site) -> Iterator[Open]:
    watch = Watch()
    contexts: list[BrowserContext] = []

    def opened(path: str = "/", *, size: tuple[int, int] = WIDE, scheme: Any = "light") -> Page:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, has_touch=size == PHONE
        )
        context.set_default_timeout(8_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: watch.messages.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: watch.messages.append(str(error)))
        page.on("request", lambda request: _note_outside(watch, site, request.url))
        page.on("websocket", lambda channel: _note_outside(watch, site, channel.url.replace("ws://", "http://")))
        page.goto(site.url + path)
        page.wait_for_selector(".top .nav a", state="attached")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert watch.messages == []
    assert watch.outside == []


def _note_outside(watch: Watch, site: Site, url: str) -> None:
    if not url.startswith((site.url + "/", "data:")):
        watch.outside.append(url)


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


EXTENDED = (
    "For orders placed between 15 November and 31 December the window is extended to 31 January of the following year."
)


@SIZES
def test_an_answer_streams_and_its_chip_opens_the_document_at_the_quote(
    open_page: Open, site: Site, size: tuple[int, int]
) -> None:
    citations = cited(site.service, EXTENDED)
    answer = Answer(
        "It may be returned until 31 January [1].", citations, (), Usage(uncached=2310, output=186), 0.0, 1840.0, "t1"
    )
    site.service.replies["When?"] = Reply(answer, step_ms=250, piece_ms=60)
    page = open_page(size=size)
    ask(page, "When?")
    expect(page.locator(".status")).to_contain_text("Retrieving passages")
    expect(page.locator(".status")).to_contain_text("Reading8 passages")
    page.wait_for_function("document.querySelector('.answer')?.textContent.startsWith('It may')")
    assert "31 January" not in page.locator(".answer").inner_text(), "the text must come in pieces"
    foot = page.locator(".foot")
    expect(foot).to_have_text("1.84 s2,310 in, 186 out$0Trace")
    expect(page.locator(".status")).to_have_count(0)
    assert_no_overflow(page)

    page.locator("a.chip").click()
    mark = page.locator(".panel mark")
    expect(mark).to_have_text(EXTENDED)
    page.wait_for_function("document.activeElement.matches('.panel h2')")
    assert is_in_view(page, ".panel mark")
    start = citations[0].start
    assert page.url == f"{site.url}/?document=policy&start={start}&end={start + len(EXTENDED)}"
    assert_no_overflow(page)

    page.keyboard.press("Escape")
    expect(page.locator(".panel")).to_be_hidden()
    assert page.url == site.url + "/"
    expect(page.locator(".answer")).to_have_text("It may be returned until 31 January 1.")
    assert page.evaluate("document.activeElement.matches('a.chip')"), "the focus goes back to the chip"
    page.go_back()
    expect(mark).to_have_text(EXTENDED)


def test_the_keyboard_alone_is_enough(open_page: Open, site: Site) -> None:
    site.service.replies["one\ntwo"] = Reply(Answer("Said [1].", cited(site.service, EXTENDED), ()))
    page = open_page()
    page.wait_for_function("document.activeElement.matches('.question-box')")
    keys = page.keyboard
    keys.type("one")
    keys.press("Shift+Enter")
    keys.type("two")
    keys.press("Enter")
    expect(page.locator(".question")).to_have_text("one\ntwo")
    expect(page.locator(".foot")).to_be_visible()
    expect(page.locator(".question-box")).to_have_value("")
    keys.press("Shift+Tab")  # back from the question: the foot has no trace, so the source chip comes first
    assert page.evaluate("document.activeElement.matches('a.source')")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "what has the focus must show it"
    keys.press("Enter")
    expect(page.locator(".panel mark")).to_have_text(EXTENDED)
    keys.press("Escape")
    expect(page.locator(".panel")).to_be_hidden()
    keys.press("/")
    page.wait_for_function("document.activeElement.matches('.question-box')")
    keys.type("a/b")
    expect(page.locator(".question-box")).to_have_value("a/b")


def test_tab_goes_through_the_bar_in_reading_order(open_page: Open) -> None:
    page = open_page("/settings")
    seen = []
    for _ in range(6):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.textContent.trim()"))
    assert seen == ["Skip to the content", "Assay", "Chat", "Documents", "Settings", "ThemeAutoLightDark"]


@SIZES
def test_stop_ends_the_stream_and_keeps_what_was_written(open_page: Open, site: Site, size: tuple[int, int]) -> None:
    site.service.replies["go on"] = Reply(Answer("So far so good", (), ()), hangs=True)
    page = open_page(size=size)
    ask(page, "go on")
    expect(page.locator(".answer")).to_have_text("So far so good")
    expect(page.locator(".ask")).to_be_hidden()
    ask(page, "not now")
    expect(page.locator(".question")).to_have_count(1)
    page.locator(".stop").click()
    expect(page.locator(".turn")).to_contain_text("Stopped.")
    expect(page.locator(".answer")).to_have_text("So far so good")
    assert site.service.closed_early == 1
    expect(page.locator(".ask")).to_be_visible()
    expect(page.locator(".question-box")).to_have_value("not now")


def test_a_slow_answer_says_what_it_waits_for_and_for_how_long(open_page: Open, site: Site) -> None:
    site.service.model_statuses = FETCHING
    site.service.replies["slow"] = Reply(Answer("", (), ()), steps=(("retrieve", ""),), hangs=True)
    page = open_page()
    ask(page, "slow")
    status = page.locator(".status")
    expect(status).to_contain_text("Waiting for the model SmolLM2-135M-Instruct")
    expect(status).to_contain_text("39 MB of 93 MB")
    expect(page.locator(".state-pill")).to_have_text("Loading 41%")
    expect(status.locator(".clock")).to_have_text(re.compile(r"[1-9] s"))
    site.service.model_statuses = READY
    expect(status).to_contain_text("Retrieving passages")
    expect(page.locator(".state-pill")).to_have_count(0)


@SIZES
def test_a_refusal_is_calm_and_leads_to_the_nearest_passages(
    open_page: Open, site: Site, size: tuple[int, int]
) -> None:
    hits = [hit for hit in site.service.hits("damage packaging replacement") if hit.passage.document_id == "policy"]
    site.service.replies["price?"] = Reply(Declined("None of the passages names a price.", tuple(hits), cost_usd=None))
    page = open_page(size=size)
    ask(page, "price?")
    notice = page.locator(".notice.declined")
    expect(notice).to_contain_text("No answer in these documents")
    expect(notice).to_contain_text("None of the passages names a price.")
    expect(page.locator(".foot")).to_contain_text("unpriced")
    expect(page.locator("[role=alert]")).to_have_count(0)
    assert_no_overflow(page)
    notice.locator("a.source").first.click()
    expect(page.locator(".panel mark").first).to_be_visible()
    assert page.locator(".panel mark").all_inner_texts()[-1].startswith("Report damage within three days")


def test_a_failure_says_what_to_do_and_can_be_tried_again(open_page: Open, site: Site) -> None:
    error = Refused("The model server refused the connection.", hint="Start it, or set models.chat to embedded.")
    site.service.replies["now"] = Reply(error=error)
    page = open_page()
    ask(page, "now")
    alert = page.locator("[role=alert]")
    expect(alert).to_contain_text("The model server refused the connection.")
    expect(alert).to_contain_text("Start it, or set models.chat to embedded.")
    site.service.replies["now"] = Reply(error=ZeroDivisionError("division by zero"))
    alert.get_by_role("button", name="Ask again").click()
    expect(page.locator("[role=alert]").nth(1)).to_contain_text("Assay failed in a way it should not.")
    assert "division" not in page.content()
    assert "Traceback" not in page.content()


def test_what_is_not_supported_is_marked_with_words_and_signs(open_page: Open, site: Site) -> None:
    citations = cited(site.service, EXTENDED, supported=False)
    site.service.replies["q"] = Reply(Answer("Free shipping [1].", citations, (), flags=("Free shipping",)))
    page = open_page()
    ask(page, "q")
    chip = page.locator("a.chip")
    expect(chip).to_have_text("1!")
    expect(chip).to_have_attribute("aria-label", re.compile("does not support the claim"))
    expect(page.locator("a.source")).to_contain_text("unsupported")
    expect(page.locator(".notice.warn")).to_contain_text("Not supported by the passagesFree shipping")


@SIZES
def test_an_empty_workspace_says_what_to_do(open_page: Open, site: Site, size: tuple[int, int]) -> None:
    site.service.held = {}
    site.service.ingestion_status = IngestStatus()
    page = open_page(size=size)
    commands = page.locator(".view.chat .command code")
    expect(commands).to_have_text(["assay ingest PATH", "assay up PATH"])
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy assay ingest PATH").click()
    expect(page.locator(".view.chat .command").first).to_contain_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "assay ingest PATH"
    assert_no_overflow(page)


@SIZES
def test_ingestion_shows_progress_and_every_failed_file(open_page: Open, site: Site, size: tuple[int, int]) -> None:
    path = "reports/" + "x" * 150 + ".pdf"
    site.service.ingestion_status = IngestStatus(
        "running", 12, 40, 340, 300, path, ((path, "encrypted", "Remove the password."),)
    )
    page = open_page("/documents", size=size)
    expect(page.get_by_role("progressbar", name="Files read")).to_have_attribute("aria-valuenow", "30")
    expect(page.locator(".view.documents .failures")).to_contain_text("encryptedRemove the password.")
    expect(page.locator(".state-pill")).to_have_text("Reading 12 of 40")
    assert_no_overflow(page)
    site.service.ingestion_status = IngestStatus("finished", 40, 40, 900, 900)
    expect(page.get_by_role("progressbar")).to_have_count(0)


@SIZES
def test_documents_are_listed_filtered_and_opened(open_page: Open, site: Site, size: tuple[int, int]) -> None:
    page = open_page("/documents", size=size)
    expect(page.locator(".documents tbody tr")).to_have_count(4)
    assert_no_overflow(page)
    page.locator(".filter").fill("RETURNS")
    expect(page.locator(".documents tbody tr")).to_have_count(1)
    page.get_by_role("link", name="Returns policy").click()
    expect(page.locator(".panel .document")).to_contain_text("Refund requests are accepted")
    assert page.url == site.url + "/documents/policy"
    assert_no_overflow(page)
    page.locator(".panel .close").click()
    expect(page.locator(".panel")).to_be_hidden()
    expect(page.locator(".documents tbody tr")).to_have_count(1)
    page.locator(".filter").fill("no such thing")
    expect(page.locator(".nothing")).to_contain_text("no such thing")


def test_a_deep_link_opens_the_span_and_a_dead_one_says_so(open_page: Open, site: Site) -> None:
    policy = site.service.held["policy"].text
    start = policy.index(EXTENDED)
    page = open_page(f"/documents/policy?start={start}&end={start + len(EXTENDED)}")
    expect(page.locator(".panel mark")).to_have_text(EXTENDED)
    page.goto(site.url + "/documents/gone")
    expect(page.locator(".panel [role=alert]")).to_contain_text("There is no document 'gone'")
    page.goto(site.url + "/trace/gone")
    expect(page.locator(".view.trace [role=alert]")).to_contain_text("There is no trace 'gone'")


@SIZES
def test_a_huge_document_opens_at_the_span_and_shows_more_both_ways(
    open_page: Open, site: Site, size: tuple[int, int]
) -> None:
    lines = [f"Line {n} of a document that is far too long to be shown whole." for n in range(30_000)]
    text = "\n".join(lines)
    site.service.held["huge"] = view_of("huge", "huge.txt", text)
    quote = lines[15_000]
    start = text.index(quote)
    page = open_page(f"/documents/huge?start={start}&end={start + len(quote)}", size=size)
    mark = page.locator(".panel mark")
    expect(mark).to_have_text(quote)
    page.wait_for_function("document.querySelector('.panel-scroll').scrollTop > 0")
    assert is_in_view(page, ".panel mark")
    shown = len(page.locator(".document").inner_text())
    assert shown < 20_000

    before = mark.bounding_box()
    page.locator("[data-act=earlier]").evaluate("button => button.click()")  # without scrolling to it
    expect(page.locator(".document .window")).to_have_count(2)
    page.wait_for_timeout(200)
    after = mark.bounding_box()
    assert before is not None
    assert after is not None
    assert abs(before["y"] - after["y"]) < 3, "what is being read must not move"
    page.locator("[data-act=later]").click()
    expect(page.locator(".document .window")).to_have_count(3)
    shown_text = page.locator(".document").evaluate("element => element.textContent")
    assert shown_text in text, "the windows must join without a gap"
    assert len(shown_text) > 55_000


@SIZES
def test_text_from_outside_stays_text(open_page: Open, site: Site, size: tuple[int, int]) -> None:
    service = site.service
    service.held["evil"] = view_of("evil", f"{HOSTILE}.html", f"{HOSTILE}\n\nA sentence. {HOSTILE}", title=HOSTILE)
    hit = Hit(Passage("evil", 0, 0, len(HOSTILE), HOSTILE, 3, HOSTILE), HOSTILE, HOSTILE, 1.0)
    citation = Citation(1, HOSTILE, "evil", 0, len(HOSTILE), HOSTILE, None, False)
    answer = Answer(f"{HOSTILE} [1]", (citation,), (hit,), flags=(HOSTILE,), trace_id='"><img src=x>')
    service.replies["one"] = Reply(answer, steps=((HOSTILE, HOSTILE),), step_ms=300)
    service.replies["two"] = Reply(Declined(HOSTILE, (hit,)))
    service.replies["three"] = Reply(error=Refused(HOSTILE, hint=HOSTILE))
    service.ingestion_status = IngestStatus("running", 1, 2, 3, 3, HOSTILE, ((HOSTILE, HOSTILE, HOSTILE),))
    page = open_page(size=size)
    ask(page, "one")
    expect(page.locator(".foot")).to_be_visible()
    expect(page.locator(".answer")).to_contain_text(HOSTILE)
    ask(page, "two")
    expect(page.locator(".declined")).to_contain_text(HOSTILE)
    ask(page, "three")
    expect(page.locator("[role=alert]")).to_contain_text(HOSTILE)
    ask(page, HOSTILE)
    expect(page.locator(".question").last).to_have_text(HOSTILE)
    page.locator("a.source").first.click()
    expect(page.locator(".panel mark").first).to_have_text(HOSTILE)
    assert_no_overflow(page)
    _assert_inert(page)
    page.goto(site.url + "/documents")
    expect(page.locator("table.documents")).to_contain_text(HOSTILE)
    expect(page.locator(".view.documents .failures")).to_contain_text(HOSTILE)
    assert_no_overflow(page)
    _assert_inert(page)


def _assert_inert(page: Page) -> None:
    page.wait_for_timeout(150)
    assert "owned" not in page.title()
    assert page.locator(".app :is(img, script, iframe, [onerror], a[href^=javascript])").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_follows_the_system_until_chosen_and_is_remembered(open_page: Open, scheme: str, site: Site) -> None:
    page = open_page(scheme=scheme)
    grounds = {"light": "rgb(247, 247, 245)", "dark": "rgb(17, 19, 21)"}

    def ground() -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    assert ground() == grounds[scheme]
    other = "dark" if scheme == "light" else "light"
    presses = {"light": 1, "dark": 2}[other]
    for _ in range(presses):
        page.locator("[data-theme-toggle]").click()
    assert ground() == grounds[other]
    page.reload()
    page.wait_for_selector(".top .nav a", state="attached")
    assert ground() == grounds[other]


def test_the_chat_survives_other_views_and_a_reload(open_page: Open, site: Site) -> None:
    site.service.replies["long"] = Reply(Answer("It goes on while you look elsewhere.", (), ()), piece_ms=150)
    page = open_page()
    ask(page, "long")
    page.wait_for_selector(".answer")
    page.get_by_role("link", name="Settings", exact=True).click()
    expect(page.locator(".view.settings")).to_contain_text("assay.toml")
    assert page.url == site.url + "/settings"
    page.go_back()
    expect(page.locator(".answer")).to_have_text("It goes on while you look elsewhere.")
    page.reload()
    expect(page.locator(".answer")).to_have_text("It goes on while you look elsewhere.")
    assert site.service.closed_early == 0


def test_on_a_phone_the_views_are_in_a_menu_and_the_document_covers_everything(open_page: Open, site: Site) -> None:
    page = open_page(size=PHONE)
    expect(page.locator(".nav")).to_be_hidden()
    menu = page.get_by_role("button", name="Menu")
    menu.click()
    expect(menu).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Escape")
    expect(page.locator(".nav")).to_be_hidden()
    menu.click()
    page.get_by_role("link", name="Documents").click()
    expect(page.locator(".nav")).to_be_hidden()
    page.get_by_role("link", name="Returns policy").click()
    panel = page.locator(".panel")
    expect(panel).to_be_visible()
    assert panel.bounding_box() == {"x": 0, "y": 0, "width": 390, "height": 844}
    assert page.locator(".content").evaluate("element => element.inert")
    page.locator(".panel .close").click()
    expect(panel).to_be_hidden()
    assert not page.locator(".content").evaluate("element => element.inert")

"""The decision pages in a real browser: phone and desktop, light and dark, live, by keyboard, without JavaScript.

Every test also holds the pages to their silence: no message in the console, no script error, no request to anywhere
but our own server.
"""

import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from decision_site import Decided, assay, opened, start, try_, workspace
from evaluation_site import serving
from page_site import CHROMIUM, FLAGS, IN_BROWSER, PHONE, SIZES, WIDE

pytestmark = IN_BROWSER

DARK = "rgb(17, 19, 21)"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Decided]:
    """Nothing in it is changed by a test."""
    home = workspace(tmp_path_factory.mktemp("decided"))
    try_(home, "better")
    try_(home, "worse")
    site = opened(home)
    assay(home, "promote", site.decision("better").id)
    with serving(site.archive) as url:
        site.url = url
        yield site
    site.archive.database.close()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Decided]:
    """One that a test may change: nothing was tried in it."""
    site = opened(workspace(tmp_path))
    with serving(site.archive) as url:
        site.url = url
        yield site
    site.archive.database.close()


class Opener:
    """Opens pages, and notes what they say and ask for."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.messages: list[str] = []
        self.asked: list[str] = []
        self.contexts: list[Any] = []

    def __call__(
        self, address: str, *, size: tuple[int, int] = WIDE, scheme: Any = "light", scripts: bool = True
    ) -> Page:
        context = self.browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, java_script_enabled=scripts
        )
        context.set_default_timeout(10_000)
        self.contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: self.messages.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.messages.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))
        page.goto(address)
        return page


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Opener]:
    opener = Opener(browser)
    yield opener
    for context in opener.contexts:
        context.close()
    assert opener.messages == []
    assert [url for url in opener.asked if not url.startswith(("http://127.0.0.1:", "file:///"))] == []


@SIZES
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_follows_the_theme_and_is_inert(
    open_page: Opener, shared: Decided, size: tuple[int, int], scheme: str
) -> None:
    page = open_page(f"{shared.url}/decisions", size=size, scheme=scheme)
    ids = [shared.decision(name).id for name in ("better", "worse")]
    for path in ("/decisions", *(f"/decisions/{one}" for one in ids), f"/decisions/{ids[0]}/label"):
        page.goto(shared.url + path)
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0], path
        assert (page.evaluate("getComputedStyle(document.body).backgroundColor") == DARK) == (scheme == "dark")
        assert page.title() != "owned"
        assert page.locator(":is(img, iframe, [onerror], a[href^=javascript], body script)").count() == 0
        expect(page.locator("nav.nav a[aria-current=page]")).to_have_text("Decisions")


def test_from_the_list_to_what_a_sceptic_checks(open_page: Opener, shared: Decided) -> None:
    page = open_page(f"{shared.url}/decisions")
    expect(page.locator(".releases .is-live")).to_contain_text("PROMOTE")
    page.get_by_role("link", name="bots:better").first.click()
    expect(page.locator(".verdict.large")).to_have_text("PROMOTE")
    expect(page.get_by_role("img", name="Mean difference after")).to_be_visible()
    expect(page.locator(".conditions .first")).to_contain_text("the whole interval lies above 0")
    page.get_by_text("steps that were written down").click()
    expect(page.locator(".steps-table tbody tr").last).to_contain_text("PROMOTE")
    expect(page.locator("#check")).to_contain_text("agrees")
    page.get_by_role("link", name="All side by side").click()
    expect(page.get_by_role("heading", name="What changed from A to B")).to_be_visible()


def test_the_lines_of_the_plot_keep_their_names_apart(open_page: Opener, shared: Decided) -> None:
    page = open_page(f"{shared.url}/decisions/{shared.decision('better').id}", size=PHONE)
    names = [box for one in page.locator(".course-names text").all() if (box := one.bounding_box())]
    assert len(names) == 3
    for upper, lower in pairwise(names):
        assert upper["y"] + upper["height"] <= lower["y"] + 4
    for box in names:
        assert box["x"] + box["width"] <= PHONE[0]


def test_labels_by_keyboard_change_what_the_verdict_rests_on(open_page: Opener, own: Decided) -> None:
    try_(own.home, "better")
    page = open_page(f"{own.url}/decisions/{own.decision('better').id}")
    page.get_by_role("link", name="Label answers").click()
    page.get_by_label("Labels").fill("16")
    page.get_by_role("button", name="Begin").click()
    asked = page.locator(".labelling .asked-now")
    first = asked.inner_text()
    page.keyboard.press("s")
    expect(asked).not_to_have_text(first)
    for key in ("1", "u", "b"):
        page.keyboard.press(key)
        expect(page.locator(".facts-line")).to_contain_text(f"{int(key in '1b')} of")
    wanted = own.decision("better").details["labels_wanted"]
    for done in range(2, wanted):
        page.keyboard.press("n")
        expect(page.locator(".facts-line")).to_contain_text(f"{done} of")
    page.keyboard.press("n")
    if page.get_by_role("link", name="Go through the skipped ones").count():  # as many differ as were declared
        page.get_by_role("link", name="Go through the skipped ones").click()
        page.keyboard.press("n")
    expect(page.get_by_role("heading", name="All labels are there")).to_be_visible()
    page.get_by_role("link", name="Open the decision").click()
    expect(page.locator(".verdict-line").first).to_contain_text("HUMAN-CALIBRATED")
    assert own.decision("better").support == "HUMAN-CALIBRATED"


def test_labels_by_touch_and_without_javascript(open_page: Opener, own: Decided) -> None:
    try_(own.home, "better")
    page = open_page(f"{own.url}/decisions/{own.decision('better').id}/label", size=PHONE, scripts=False)
    page.get_by_role("button", name="Begin").click()
    for done in (1, 2):
        button = page.get_by_role("button", name="Neither")
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 44
        button.click()
        expect(page.locator(".facts-line")).to_contain_text(f"{done} of")


def test_a_page_follows_a_decision_to_its_verdict(open_page: Opener, own: Decided) -> None:
    # Equal systems and a tiny gain: it asks every question, so it runs long enough to be watched.
    attempt = start(own.home, "equal", "--smallest", "0.01", "--concurrency", "2", BOT_SECONDS="0.15")
    try:
        _until(lambda: any(one.outcome for one in own.found.newest(limit=1)))
        listed = open_page(f"{own.url}/decisions", scripts=False)
        expect(listed.locator(".decisions .verdict")).to_have_text("RUNNING")
        page = open_page(f"{own.url}/decisions/{own.decision('equal').id}")
        expect(page.locator(".verdict.large")).to_have_text("RUNNING")
        asked = page.locator(".decision-tiles .tile").nth(1).locator(".value")
        before = asked.inner_text()
        page.evaluate("window.same = true")
        expect(asked).not_to_have_text(before)
        assert page.evaluate("window.same")  # grown in place
        expect(page.locator(".verdict.large")).not_to_have_text("RUNNING", timeout=60_000)
        expect(page.locator("#check")).to_contain_text("agrees", timeout=30_000)
    finally:
        attempt.wait(timeout=60)
    assert own.decision("equal").status == "done"


def test_one_that_was_killed_says_how_to_go_on(open_page: Opener, own: Decided) -> None:
    attempt = start(own.home, "equal", BOT_SECONDS="0.2")
    try:
        _until(lambda: any(one.outcome for one in own.found.newest(limit=1)))
    finally:
        attempt.kill()
        attempt.wait(timeout=60)
    page = open_page(f"{own.url}/decisions/{own.decision('equal').id}")
    expect(page.locator(".verdict.large")).to_have_text("INTERRUPTED")
    expect(page.locator(".notice")).to_contain_text("the same command goes on")
    expect(page.locator(".decision-title .command code")).to_contain_text("assay try --system bots:equal")


def test_the_file_opens_without_a_server(open_page: Opener, shared: Decided, tmp_path: Path) -> None:
    path = tmp_path / "decision.html"
    assay(shared.home, "decisions", "report", shared.decision("worse").id, str(path))
    for size in (WIDE, PHONE):
        page = open_page(path.as_uri(), size=size, scheme="dark")
        expect(page.get_by_role("heading", name="Evidence, question by question")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == DARK
        assert page.title() != "owned"
        assert page.locator("a[href]").count() == 0


def _until(holds: Any, *, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.1)

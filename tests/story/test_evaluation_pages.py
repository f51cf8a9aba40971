"""The evaluation pages in a real browser: phone and desktop, light and dark, by keyboard, without JavaScript, silent.

Every test also holds the pages to their silence: no message in the console, no script error, no request to anywhere
but our own server.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from assay.app.report.addresses import case_url
from assay.evals.output import Output
from assay.evals.result import Result
from assay.evals.review import ReviewQueue
from assay.evals.scorer import Score
from assay.gateway.tally import Tally
from evaluation_site import SET, Evaluated, evaluated, serving
from page_site import CHROMIUM, FLAGS, IN_BROWSER, PHONE, SIZES, WIDE

pytestmark = IN_BROWSER

Open = Callable[..., Page]
DARK = "rgb(17, 19, 21)"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evaluated]:
    """Nothing in it is changed by a test."""
    site = evaluated(tmp_path_factory.mktemp("evaluated"))
    with serving(site.archive) as url:
        site.url = url
        yield site


@pytest.fixture
def own(tmp_path: Any) -> Iterator[Evaluated]:
    """One that a test may change."""
    site = evaluated(tmp_path, 12)
    with serving(site.archive) as url:
        site.url = url
        yield site


@dataclass
class Opener:
    """Opens pages, and notes what they say and ask for."""

    browser: Browser
    messages: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)

    def __call__(
        self, site: Evaluated, path: str, *, size: tuple[int, int] = WIDE, scheme: Any = "light", scripts: bool = True
    ) -> Page:
        context = self.browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, java_script_enabled=scripts
        )
        context.set_default_timeout(8_000)
        self.contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: self.messages.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.messages.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url.removeprefix(site.url)))
        page.goto(site.url + path)
        return page


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    opener = Opener(browser)
    yield opener
    for context in opener.contexts:
        context.close()
    assert opener.messages == []
    assert [url for url in opener.asked if not url.startswith("/")] == []


def paths(site: Evaluated) -> list[str]:
    first, second = (run.id for run in site.runs)
    return [
        "/runs",
        f"/runs/{second}",
        case_url(second, site.cases[0].id),
        case_url(second, site.cases[8].id),
        f"/runs/{first}/diff/{second}",
        "/cases",
        f"/cases/{SET}",
        f"/cases/{SET}/review?case={site.cases[8].digest}",
        "/runs/ffff",
    ]


@SIZES
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_follows_the_theme_and_is_inert(
    open_page: Open, shared: Evaluated, size: tuple[int, int], scheme: str
) -> None:
    page = open_page(shared, "/cases", size=size, scheme=scheme)
    for path in paths(shared):
        if path.endswith("ffff"):
            continue  # a 404 is a message in the console by itself
        page.goto(shared.url + path)
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0], path
        assert (page.evaluate("getComputedStyle(document.body).backgroundColor") == DARK) == (scheme == "dark")
        assert page.title() != "owned"
        assert page.locator(":is(img, iframe, [onerror], a[href^=javascript], body script)").count() == 0
        expect(page.locator("nav.nav a[aria-current=page]")).to_have_count(1)


def test_the_chosen_theme_holds_from_page_to_page(open_page: Open, shared: Evaluated) -> None:
    page = open_page(shared, "/runs")
    page.locator("[data-theme-toggle]").click()
    page.locator("[data-theme-toggle]").click()
    page.get_by_role("link", name="Cases", exact=True).click()
    expect(page.get_by_role("heading", name="Cases")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == DARK


def test_on_a_phone_the_sections_are_in_a_menu(open_page: Open, shared: Evaluated) -> None:
    page = open_page(shared, "/runs", size=PHONE)
    expect(page.locator(".nav")).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    expect(page.locator(".nav")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".nav")).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("link", name="Cases", exact=True).click()
    expect(page).to_have_url(f"{shared.url}/cases")


def test_the_cases_of_a_run_are_gone_through_by_keyboard(open_page: Open, shared: Evaluated) -> None:
    page = open_page(shared, f"/runs/{shared.runs[1].id}?outcome=partly+right")
    rows = page.locator(".case-rows .row-link")
    questions = [row.locator(".asked").inner_text() for row in rows.all()]
    assert len(questions) > 2
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(rows.first).to_be_focused()
    page.keyboard.press("Enter")
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text(questions[0])
    page.keyboard.press("j")
    expect(heading).to_have_text(questions[1])
    expect(page.locator(".steps")).to_contain_text(f"2 of {len(questions)} with partly right")
    page.keyboard.press("k")
    expect(heading).to_have_text(questions[0])
    page.go_back()
    expect(heading).to_have_text(questions[1])


def test_a_filter_applies_at_once_and_stays_in_the_address(open_page: Open, shared: Evaluated) -> None:
    page = open_page(shared, f"/runs/{shared.runs[1].id}")
    failed = dict(shared.archive.index(shared.runs[1]).outcomes)["failed"]
    page.get_by_label("Outcome").select_option("failed")
    expect(page).to_have_url(re.compile(r"\?outcome=failed#cases$"))
    expect(page.locator(".case-rows li")).to_have_count(failed)
    page.wait_for_load_state()  # keys work once the script is there
    page.keyboard.press("/")
    expect(page.get_by_label("Find")).to_be_focused()
    page.keyboard.type("item 7")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"outcome=failed&q=item\+7"))
    page.go_back()
    expect(page.locator(".case-rows li")).to_have_count(failed)
    expect(page.get_by_label("Outcome")).to_be_enabled()


def test_two_runs_are_chosen_and_compared(open_page: Open, shared: Evaluated) -> None:
    page = open_page(shared, "/runs")
    page.get_by_role("radio", name="A: run " + shared.runs[1].id[:8]).check(force=True)
    page.get_by_role("radio", name="B: run " + shared.runs[0].id[:8]).check(force=True)
    page.get_by_role("button", name="Compare").click()
    expect(page).to_have_url(f"{shared.url}/runs/{shared.runs[1].id}/diff/{shared.runs[0].id}")
    expect(page.locator("article").first).to_be_visible()
    page.get_by_role("link", name=re.compile("^lost")).click()
    expect(page.locator("article .tag", has_text="lost").first).to_be_visible()


def test_a_review_goes_by_keys_alone(open_page: Open, own: Evaluated) -> None:
    page = open_page(own, f"/cases/{SET}/review")
    place = page.locator(".review .facts-line span").first
    expect(place).to_have_text("case 1 of 12")
    page.keyboard.press("a")
    expect(place).to_have_text("case 2 of 12")
    page.keyboard.press("r")
    expect(place).to_have_text("case 3 of 12")
    page.keyboard.press("s")
    expect(place).to_have_text("case 4 of 12")
    page.keyboard.press("f")
    question = page.get_by_label("Question")
    expect(question).to_be_focused()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("Asked as a person would?")
    page.keyboard.press("Control+Enter")
    expect(place).to_have_text("case 5 of 12")
    page.keyboard.press("u")
    expect(place).to_have_text("case 4 of 12")
    page.keyboard.press("f")
    page.keyboard.press("Escape")
    expect(question).to_be_hidden()
    page.keyboard.press("a")
    expect(place).to_have_text("case 5 of 12")
    now = ReviewQueue(own.archive.database, SET).progress()
    assert (now.accepted, now.rejected, now.skipped, now.fixed) == (2, 1, 1, 0)
    page.get_by_role("button", name="Save 2 reviewed cases").click()
    expect(page).to_have_url(f"{own.url}/cases/{SET}")
    assert len(own.archive.cases.load(SET)) == 2


def test_evidence_is_marked_where_it_stands(open_page: Open, shared: Evaluated) -> None:
    page = open_page(shared, f"/cases/{SET}/review", size=PHONE, scheme="dark")
    mark = page.locator(".excerpt mark")
    expect(mark).to_have_text("the window is extended to 31 January of the following year")
    expect(mark).to_be_visible()


def test_without_javascript_everything_can_be_read_and_done(open_page: Open, own: Evaluated) -> None:
    page = open_page(own, "/runs", scripts=False)
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("heading", name="What changed")).to_be_visible()
    page.goto(f"{own.url}/runs/{own.runs[1].id}")
    page.get_by_label("Order").select_option("slowest")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator(".case-rows li")).to_have_count(12)
    page.locator(".case-rows a").first.click()
    expect(page.get_by_role("heading", name="Scores")).to_be_visible()
    page.goto(f"{own.url}/cases/{SET}/review")
    page.get_by_role("button", name="Accept").click()
    expect(page.locator(".review .facts-line span").first).to_have_text("case 2 of 12")
    assert ReviewQueue(own.archive.database, SET).progress().accepted == 1


def test_a_run_under_way_is_followed_without_reloading_and_shown_when_it_ends(open_page: Open, own: Evaluated) -> None:
    spec = replace(own.runs[0].spec, system="under way")
    with own.archive.runs.start(spec, resume=False) as live:
        live.add(Result(0, 0, own.cases[0].id, Output("yes"), {"token_f1": Score(0.25)}), Tally(paid_calls=1))
        live.flush()
        page = open_page(own, "/runs")
        radio = page.get_by_role("radio", name="A: run " + live.id[:8])
        radio.check(force=True)
        standing = page.locator(f"#standing-{live.id}")
        expect(standing).to_contain_text("1 of 12")
        one = open_page(own, f"/runs/{live.id}")
        live.add(Result(1, 0, own.cases[1].id, Output("yes"), {"token_f1": Score(0.75)}), Tally(paid_calls=1))
        live.flush()
        expect(standing).to_contain_text("2 of 12")
        expect(standing).to_contain_text("0.500")
        expect(radio).to_be_checked()
        expect(one.locator(".standing")).to_contain_text("2 of 12")
        live.finish("interrupted")
    expect(standing).to_contain_text("interrupted")
    expect(one.locator(".title .notice")).to_contain_text("interrupted: 2 of 12")
    expect(one.locator(".standing")).to_have_count(0)

"""What holds on every view, in a real browser: the bar, the theme, the phone, and text from outside that stays text."""

import pytest
from playwright.sync_api import Page, expect

from assay.answers.outcome import Answer, Citation, Declined
from assay.app.scripted import Reply, view_of
from assay.app.service import IngestStatus
from assay.documents.document import Passage
from assay.errors import Refused
from assay.index.hit import Hit
from page_site import IN_BROWSER, PHONE, SIZES, Open, Site, ask, assert_no_overflow

pytestmark = IN_BROWSER

HOSTILE = (
    "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    "&lt;b&gt; **bold** [x](javascript:alert(1))"
)


def test_tab_goes_through_the_bar_in_reading_order(open_page: Open) -> None:
    page = open_page("/settings")
    seen = []
    for _ in range(10):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.textContent.trim()"))
    sections = ["Chat", "Documents", "Runs", "Cases", "Decisions", "Races", "Settings"]
    assert seen == ["Skip to the content", "Assay", *sections, "ThemeAutoLightDark"]


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

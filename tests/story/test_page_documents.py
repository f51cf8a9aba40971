"""Documents in a real browser: none yet, being ingested, listed, and opened at a span however long they are."""

from playwright.sync_api import expect

from assay.app.scripted import view_of
from assay.app.service import IngestStatus
from page_site import EXTENDED, IN_BROWSER, SIZES, Open, Site, assert_no_overflow, is_in_view

pytestmark = IN_BROWSER


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

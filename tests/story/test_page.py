"""The chat in a real browser, over a scripted workspace: asking, streaming, citations, refusals and failures."""

import re

from playwright.sync_api import expect

from assay.answers.outcome import Answer, Declined
from assay.app.scripted import FETCHING, READY, Reply
from assay.app.service import ReleaseStatus
from assay.errors import Refused
from assay.models.chat import Usage
from page_site import EXTENDED, IN_BROWSER, SIZES, Open, Site, ask, assert_no_overflow, cited, is_in_view

pytestmark = IN_BROWSER


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
    site.service.replies["q"] = Reply(
        Answer("Free shipping [1].", citations, (), flags=("No passage supports: Free shipping",))
    )
    page = open_page()
    ask(page, "q")
    chip = page.locator("a.chip")
    expect(chip).to_have_text("1!")
    expect(chip).to_have_attribute("aria-label", re.compile("does not support the claim"))
    expect(page.locator("a.source")).to_contain_text("unsupported")
    expect(page.locator(".notice.warn")).to_contain_text(
        "Not supported by the passagesNo passage supports: Free shipping"
    )


def test_the_settings_follow_the_live_release(open_page: Open, site: Site) -> None:
    page = open_page("/settings")
    head = page.locator(".view.settings .page-head")
    expect(head).to_contain_text("Fixed when the server started.")
    site.service.release_status = ReleaseStatus("0123456789abcdef", without_evidence=True)
    expect(head).to_contain_text("Release 01234567 without evidence")
    site.service.release_status = ReleaseStatus("fedcba9876543210", "PROMOTE", problem="Release 1 cannot be served.")
    expect(head).to_contain_text("Release fedcba98 PROMOTE")
    expect(page.locator(".top-state")).to_contain_text("A release failed")


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
    expect(page.locator(".foot")).to_be_visible()

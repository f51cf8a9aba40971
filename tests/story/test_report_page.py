"""The report in a real browser, from a file: both widths, light and dark, with and without JavaScript, no request."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from assay.app.report.page import write_report
from report_run import view_of

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]
WIDE, PHONE = (1440, 900), (390, 844)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (apt-get install chromium)"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    write_report(folder / "report.html", view_of(folder, 60))
    return folder / "report.html"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_it_opens_from_a_file_and_fits(browser: Browser, report: Path, size: tuple[int, int], scheme: str) -> None:
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report.as_uri())
    expect(page.get_by_role("heading", name="assay.toml: support")).to_be_visible()
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert page.title().startswith("assay.toml: support")
    assert said == []
    assert asked == [report.as_uri()]
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(17, 19, 21)") == (scheme == "dark")
    context.close()


def test_cases_filter_by_outcome_tag_and_words(browser: Browser, report: Path) -> None:
    page = browser.new_page()
    page.goto(report.as_uri())
    cases = page.locator(".case:visible")
    assert cases.count() == 60
    page.get_by_label("Outcome").select_option("failed")
    failed = cases.count()
    assert 0 < failed < 60
    assert {case.get_attribute("data-outcome") for case in cases.all()} == {"failed"}
    assert page.locator("[data-count]").inner_text() == f"{failed} of 60 shown"
    page.get_by_label("Outcome").select_option("")
    page.get_by_label("Tag").select_option("shipping")
    assert 0 < cases.count() < 60
    page.get_by_label("Tag").select_option("")
    page.get_by_label("Find").fill("item 7 ")
    expect(page.locator("[data-count]")).to_contain_text("shown")
    assert 0 < cases.count() < 20
    page.get_by_label("Find").fill("")
    page.get_by_label("Order").select_option("best")
    assert page.locator(".case").first.get_attribute("data-outcome") != "failed"
    page.close()


def test_without_javascript_everything_can_be_read(browser: Browser, report: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report.as_uri())
    assert page.locator(".case:visible").count() == 60
    assert not page.locator(".filters").is_visible()
    second = page.locator(".case").nth(1)
    second.locator("summary").first.click()
    expect(second.get_by_role("heading", name="Question")).to_be_visible()
    context.close()

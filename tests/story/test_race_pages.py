"""The race pages in a real browser: phone and desktop, light and dark, live, without a word in the console."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from assay.app.report.race_page import race_file
from assay.decisions.race.store import Races, claim_name
from assay.ledger.claim import claimed
from evaluation_site import Evaluated, evaluated, serving
from page_site import CHROMIUM, FLAGS, IN_BROWSER
from race_sample import hostile_view, race_view, with_prompts

pytestmark = IN_BROWSER

WIDE, PHONE = (1200, 900), (360, 780)
OPEN_ALL = "document.querySelectorAll('details').forEach((one) => { one.open = true; })"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evaluated]:
    found = evaluated(tmp_path_factory.mktemp("raced"), 6)
    with serving(found.archive) as url:
        found.url = url
        yield found
    found.archive.database.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Page]:
    """A page that is held to its silence."""
    messages: list[str] = []
    opened = browser.new_page()
    opened.set_default_timeout(10_000)
    opened.on("console", lambda message: messages.append(message.text))
    opened.on("pageerror", lambda error: messages.append(str(error)))
    yield opened
    opened.close()
    assert messages == []


def fits(page: Page, size: tuple[int, int]) -> bool:
    page.evaluate(OPEN_ALL)
    return bool(page.evaluate("document.documentElement.scrollWidth") <= size[0])


@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (PHONE, "dark")], ids=["wide", "phone"])
def test_every_page_fits_and_is_inert(page: Page, site: Evaluated, size: tuple[int, int], scheme: Any) -> None:
    races = Races(site.archive.database)
    views = [with_prompts(race_view()), hostile_view(), race_view(300), race_view(1, failing=(), unknown=())]
    ids = [races.open(set_name="s", digest=f"{n}" * 64, view=view).id for n, view in enumerate(views)]
    for one in ids:
        races.update(one, status="done")
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.emulate_media(color_scheme=scheme)
    for path in ("/races", *(f"/races/{one}" for one in ids)):
        page.goto(site.url + path)
        assert fits(page, size), path
        assert page.title() != "owned"
        assert page.locator(":is(img, iframe, [onerror], body script)").count() == 0
        expect(page.locator("nav.nav a[aria-current=page]")).to_have_text("Races")


def test_a_page_follows_a_race_and_leaves_open_what_was_opened(page: Page, site: Evaluated) -> None:
    races, digest = Races(site.archive.database), "e" * 64
    with claimed(site.archive.database, claim_name(digest)):
        race_id = races.open(set_name="s", digest=digest, view=race_view(rounds=2, status="running")).id
        page.goto(f"{site.url}/races/{race_id}")
        expect(page.locator(".race-standing .says")).to_contain_text("Round 2 of 6: 24 of 48")
        page.get_by_text("8 designs that got less far").click()
        races.update(race_id, view=race_view(rounds=3, status="running", changes={"race_id": race_id}))
        expect(page.locator(".race-standing .says")).to_contain_text("Round 3 of 6: 12 of 48")
        assert page.locator("details[open]").count() == 1
        races.update(race_id, view=race_view(changes={"race_id": race_id}), status="done")
        expect(page.locator(".verdict.large")).to_have_text("PROMOTE")


def test_the_file_opens_without_a_server(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "race.html"
    path.write_text(race_file(hostile_view()), "utf-8")
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    page.goto(path.as_uri())
    assert fits(page, PHONE)
    assert page.title() != "owned"
    assert page.locator("a[href], script, button:visible").count() == 0

"""The decision pages over a real socket: nothing of confirm questions, nothing that acts, labels that are blind."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from assay.app.labelling import Labelling
from assay.app.report import decisions_page, label_page
from assay.app.report.decision_file import decision_file
from assay.app.report.decision_page import head_markup, standing_markup
from assay.decisions.hypothesis import Named
from decision_site import Decided, assay, opened, try_, workspace
from evaluation_site import serving


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Decided]:
    """A promoted and a refused change, and one released without evidence. Nothing in it is changed by a test."""
    home = workspace(tmp_path_factory.mktemp("decided"))
    try_(home, "better")
    try_(home, "worse")
    found = opened(home)
    assay(home, "promote", found.decision("worse").id, "--because", "Friday")
    with serving(found.archive) as url:
        found.url = url
        yield found
    found.archive.database.close()


@pytest.fixture
def own(tmp_path: Any) -> Iterator[Decided]:
    """One whose decision a test may label."""
    home = workspace(tmp_path)
    try_(home, "better")
    found = opened(home)
    with serving(found.archive) as url:
        found.url = url
        yield found
    found.archive.database.close()


def desk_of(site: Decided) -> Labelling:
    return Labelling(site.archive, site.decision("better"))


def asked_in(text: str) -> set[str]:
    """The numbers of the questions in a text."""
    return set(re.findall(r"What is (\d+)\?", text))


async def get(site: Decided, path: str, *, status: int = 200) -> str:
    async with aiohttp.ClientSession() as session, session.get(site.url + path) as response:
        assert response.status == status
        policy = response.headers["content-security-policy"]
        assert policy == "sandbox" or "default-src 'none'" in policy
        assert "unsafe" not in policy
        return await response.text()


async def post(url: str, fields: Mapping[str, str], *, status: int = 200, **options: Any) -> str:
    """The page one lands on."""
    async with aiohttp.ClientSession() as session, session.post(url, data=fields, **options) as response:
        assert response.status == status
        return await response.text()


def fields_of(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))


# ---- the pages --------------------------------------------------------------------------------


async def test_a_decision_says_what_was_declared_what_was_found_and_how_to_check(site: Decided) -> None:
    decision = site.decision("better")
    page = await get(site, f"/decisions/{decision.id[:8]}")
    assert decision.hypothesis.digest in page
    assert decision.hypothesis.order_digest[:16] in page
    assert "PROMOTE" in page
    assert "REFERENCE-BASED" in page
    assert "Folded again" in page
    assert ">agrees<" in page
    assert f"assay decisions check {decision.id[:8]}" in page
    assert "assay try --system bots:better --against bots:base" in page
    assert f"assay promote {decision.id[:8]}" in page
    assert "Stop-adjusted estimate" in page
    assert "Plain mean" in page


async def test_no_confirm_question_is_on_any_page_that_is_no_label(site: Decided) -> None:
    for name in ("better", "worse"):
        decision = site.decision(name)
        closed = {number for question in site.confirm_questions(name) for number in asked_in(question)}
        pages = [await get(site, f"/decisions/{decision.id}{end}") for end in ("", "/standing", "/report.html")]
        assert all(asked_in(page).isdisjoint(closed) for page in pages)
        assert len(asked_in(pages[0])) == 20
        assert f"assay cases open {decision.set_name}" in pages[0]


async def test_a_dev_case_that_is_confirm_elsewhere_in_the_set_is_not_shown(site: Decided) -> None:
    decision = site.decision("better")
    runs = {"incumbent": decision.incumbent_run, "candidate": decision.candidate_run}
    bent = replace(decision, details={**decision.details, "dev_runs": runs})
    reading = site.found.dev(bent)
    assert reading is not None
    assert reading.pairs == []


async def test_the_list_shows_verdicts_releases_and_what_evidence_is_left(site: Decided) -> None:
    page = await get(site, "/decisions")
    for words in ("PROMOTE", "bots:worse", "without evidence", "serves now", "Friday", "alpha left", "handed on"):
        assert words in page
    assert page.index("bots:worse") < page.index("bots:better")


async def test_nothing_on_the_pages_acts(site: Decided) -> None:
    for decision in (site.decision("better"), site.decision("worse")):
        for end in ("", "/report.html"):
            page = await get(site, f"/decisions/{decision.id}{end}")
            assert "<script>document" not in page
            assert "<img" not in page
            assert " style=" not in page
            assert "\x1b" not in page


async def test_what_is_not_there_is_said_on_a_page(site: Decided) -> None:
    assert "no decision" in await get(site, "/decisions/ffff", status=404)
    assert "not the id" in await get(site, "/decisions/zz", status=400)


async def test_the_states_without_a_verdict_say_what_to_do(site: Decided) -> None:
    view = site.found.view(site.decision("better").id)
    for state, words in (
        ("interrupted", "the same command goes on"),
        ("budget", "--budget-usd"),
        ("abandoned", "stays spent"),
    ):
        outcome = {**view.outcome, "verdict": "UNDECIDED"}
        page = head_markup(replace(view, state=state, decision=replace(view.decision, verdict=None, outcome=outcome)))
        assert words in page
        assert view.command in page
        assert "promote" not in page.split("report.html")[1].split("assay try")[0]


async def test_one_whose_process_died_is_not_running(site: Decided) -> None:
    decision = replace(site.decision("better"), status="running")
    assert site.found.state(decision) == "done"
    hypothesis = replace(decision.hypothesis, set_name="other", candidate=Named("bots:died", None))
    died = site.found.register.open(hypothesis, details={"seed": "0"})
    assert site.found.state(died) == "interrupted"
    assert "INTERRUPTED" in await get(site, f"/decisions/{died.id}")
    assert "No question has been folded yet" in standing_markup(site.found.view(died.id))
    site.found.register.update(died.id, status="abandoned")
    assert "ABANDONED" in await get(site, f"/decisions/{died.id}")


async def test_the_file_holds_all_of_it_and_names_no_other(site: Decided) -> None:
    view = site.found.view(site.decision("better").id)
    made = decision_file(view, site.found.dev(view.decision), site.found.checked(view.decision)).decode()
    assert "default-src &#39;none&#39;" in made
    assert re.findall(r"<\w[^>]*\s(?:href|src|action)=|url\(|@import", made) == []
    for words in ("Declared before the first result", "Folded again", "Dev questions", view.decision.hypothesis.digest):
        assert words in made
    written = site.home / "out.html"
    assay(site.home, "decisions", "report", view.decision.id, str(written))
    assert written.read_text() == made


# ---- labels -----------------------------------------------------------------------------------


async def test_labels_are_blind_and_change_what_the_verdict_rests_on(own: Decided) -> None:
    decision = own.decision("better")
    path = f"/decisions/{decision.id}/label"
    url = own.url + path
    assert "How many labels" in await get(own, path)
    assert own.decision("better").details.get("labels_wanted") is None
    await post(url, {"choice": "1"}, status=400)
    await post(url, {"choice": "declare", "labels": "3"}, status=400)
    page = await post(url, {"choice": "declare", "labels": "16"})
    wanted = own.decision("better").details["labels_wanted"]
    assert f"0 of {wanted} labelled" in await post(url, {"choice": "1"})  # on no question: changes nothing
    for _ in range(wanted):
        assert "bots:" not in page
        assert "won" not in page
        page = await post(url, {**fields_of(page), "choice": "n"})
    assert "HUMAN-CALIBRATED" in page
    assert "The scores alone said PROMOTE" in page
    assert f"{wanted} of {wanted} labelled" in await post(url, {"choice": "u"})
    labelled = own.decision("better")
    assert labelled.support == "HUMAN-CALIBRATED"
    assert labelled.verdict != "PROMOTE"
    whole = await get(own, f"/decisions/{labelled.id}")
    assert "By a person&#39;s labels" in whole
    assert ">agrees<" in whole  # the scores still give what they gave before the labels


async def test_skipping_undoing_and_stale_pages(own: Decided) -> None:
    path = f"/decisions/{own.decision('better').id}/label"
    url = own.url + path
    first = await post(url, {"choice": "declare", "labels": "16"})
    second = await post(url, {**fields_of(first), "choice": "s"})
    assert fields_of(second)["ordinal"] != fields_of(first)["ordinal"]
    third = await post(url, {**fields_of(second), "choice": "b"})
    assert "1 of " in third
    assert "1 of " in await post(url, {**fields_of(third), "ordinal": "999999", "choice": "1"})
    asked = {int(fields_of(page)["ordinal"]) for page in (first, second, third)}
    unasked = next(item.ordinal for item in desk_of(own).labels.items.values() if item.ordinal not in asked)
    assert "1 of " in await post(url, {**fields_of(third), "ordinal": str(unasked), "choice": "1"})
    assert "1 of " in await post(url, {**fields_of(second), "choice": "n"})  # changed, not counted twice
    undone = await post(url, {**fields_of(third), "choice": "u"})
    await post(url, {**fields_of(undone), "choice": "x"}, status=400)
    assert " labelled" in await get(own, f"{path}?skip=1,x,-3,,99999999999999999999")
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        await post(url, {**fields_of(undone), "choice": "1"}, status=403, headers=headers)
    await post(url, {"choice": "x" * 70_000}, status=413)
    async with aiohttp.ClientSession() as session, session.post(url, json={"choice": "1"}) as response:
        assert response.status == 400


async def test_answers_that_are_all_alike_need_no_label(site: Decided) -> None:
    decision = site.decision("better")
    assert "nothing to label" in label_page.alike_markup(decision)


async def test_a_labelled_page_escapes_answers(site: Decided) -> None:
    decision = site.decision("worse")
    desk = Labelling(site.archive, replace(decision, details={**decision.details, "labels_wanted": 20}))
    item = desk.labels.next()
    assert item is not None
    page = str(label_page.label_markup(decision, item, done=0, wanted=20, skipping=()))
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "\x1b" not in page


async def test_an_empty_workspace_says_what_to_run() -> None:
    assert "assay try" in decisions_page.empty_markup()

"""The evaluation pages and their API over a real socket: whole, inert, complete over pages, safe to post to."""

import json
import re
from dataclasses import replace
from html import unescape
from urllib.parse import quote, unquote, urlencode

import aiohttp
import pytest

from assay.app.report.addresses import case_url
from assay.app.report.archive import Archive
from assay.decisions.split import SplitStore
from assay.evals.case import Case, Evidence
from assay.evals.diff import diff
from assay.evals.output import Output
from assay.evals.result import Result
from assay.evals.review import ReviewQueue
from assay.evals.run_spec import RunSpec
from assay.evals.scorer import Score
from assay.gateway.tally import Tally
from assay.ledger.database import open_database, sqlite_url
from evaluation_site import SET, evaluated, serving
from html_page import HtmlPage
from report_run import HOSTILE

ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Nothing in it is changed by a test."""
    site = evaluated(tmp_path_factory.mktemp("evaluated"))
    with serving(site.archive) as url:
        site.url = url
        yield site


@pytest.fixture
def own(tmp_path):
    """One that a test may change."""
    site = evaluated(tmp_path, 12)
    with serving(site.archive) as url:
        site.url = url
        yield site


async def get(url, **options):
    async with aiohttp.ClientSession() as session, session.get(url, **options) as response:
        return response.status, await response.text(), response.headers


async def post(url, fields, **options):
    async with aiohttp.ClientSession() as session, session.post(url, data=fields, **options) as response:
        return response.status, await response.text(), response.headers


async def page_of(site, path):
    status, html, _ = await get(site.url + path)
    assert status == 200, html
    return HtmlPage(html)


async def listed(site, query=""):
    """The cases of the newer run as its page lists them, over all pages."""
    found, number = [], 1
    while True:
        query_of_page = "&".join(part for part in (query, f"page={number}") if part)
        page = await page_of(site, f"/runs/{site.runs[1].id}?{query_of_page}")
        links = [link for link in page.values("a", "href") if link and "/cases/" in link]
        found += [link for link in links if link not in found]
        if not any(f"page={number + 1}" in link for link in page.values("a", "href") if link):
            return found
        number += 1


def id_of(link):
    return unquote(link.partition("?")[0].rpartition("/cases/")[2])


def paths(site):
    first, second = (run.id for run in site.runs)
    hostile = next(case for case in site.cases if case.id.startswith("q8 "))
    return [
        "/runs",
        f"/runs?cases={SET}",
        f"/runs/{second[:10]}",
        f"/runs/{second}?{urlencode({'q': HOSTILE, 'tag': hostile.tags[0]})}",
        f"/runs/{second}?q=nothing+holds+this",
        case_url(second, hostile.id),
        case_url(second, site.cases[2].id),
        case_url(second, site.cases[4].id),
        f"/runs/{first}/diff/{second}",
        f"/runs/{first}/diff/{second}?kind=lost&page=2",
        "/cases",
        f"/cases/{SET}",
        f"/cases/{SET}?{urlencode({'q': HOSTILE})}",
        f"/cases/{SET}/review",
        f"/cases/{SET}/review?case={hostile.digest}",
    ]


async def test_every_page_is_whole_inert_and_lets_nothing_run(site):
    for path in paths(site):
        status, html, headers = await get(site.url + path)
        page = HtmlPage(html)
        assert status == 200, path
        assert (page.wrong, page.left_open) == ([], []), path
        assert {"img", "iframe", "style", "object"} & set(page.tags) == set(), path
        assert page.tags.count("script") == len(page.values("script", "src")) == 1, path
        assert [name for _, name, _ in page.attributes if name.startswith("on") or name == "style"] == [], path
        assert [link for link in page.values("a", "href") if not link.startswith(("/", "#"))] == [], path
        assert not ACTING.search(html), path
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
    hostile = [case_url(site.runs[1].id, site.cases[8].id), f"/cases/{SET}?q=onerror"]
    for path in hostile:
        assert HOSTILE in "".join((await page_of(site, path)).pieces)


async def test_the_stylesheet_and_the_script_are_there_and_kept(site):
    page = await page_of(site, "/runs")
    for url in (*page.values("link", "href"), *page.values("script", "src")):
        status, text, headers = await get(site.url + url)
        assert status == 200
        assert text
        assert "immutable" in headers["cache-control"]
    assert (await get(f"{site.url}/assay-pages/other.js"))[0] == 404


async def test_the_list_of_runs_tells_how_each_stands(site):
    page = await page_of(site, "/runs")
    for run in site.runs:
        assert f"/runs/{run.id}" in page.values("a", "href")
    metric = site.runs[1].summary["metrics"]["exact_match"]
    assert f"{metric['low']:.3f} to {metric['high']:.3f}" in page.text
    assert "180 calls" in page.text
    assert "Over time" in page.text
    checked = dict(zip(page.values("input", "name"), page.values("input", "value"), strict=True))
    assert set(checked) == {"a", "b"}


async def test_all_cases_of_a_run_can_be_reached_page_by_page(site):
    links = await listed(site)
    ids = [id_of(link) for link in links]
    assert sorted(ids) == sorted(case.id for case in site.cases)
    questions = {case.id: case.question for case in site.cases}
    for case_id, link in list(zip(ids, links, strict=True))[::7]:
        assert questions[case_id][:60] in "".join((await page_of(site, link)).pieces)


async def test_cases_are_filtered_and_ordered_by_the_server(site):
    index = site.archive.index(site.runs[1])
    outcomes = dict(index.outcomes)
    assert len(await listed(site, "outcome=failed")) == outcomes["failed"] > 0
    tagged = [case.id for case in site.cases if "shipping" in case.tags]
    assert sorted(map(id_of, await listed(site, "tag=shipping"))) == sorted(tagged)
    assert len(await listed(site, urlencode({"tag": site.cases[8].tags[0]}))) == 1
    assert len(await listed(site, "q=no+answer+within")) == outcomes["failed"]  # in the error
    assert len(await listed(site, "q=HALF+OF+IT+STANDS")) > 0  # in a judge's reasons
    assert await listed(site, "q=no+such+words") == []
    page = await page_of(site, f"/runs/{site.runs[1].id}?order=high:token_f1")
    scores = [float(text) for text in page.pieces if re.fullmatch(r"[01]\.\d\d", text)]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) > 20


async def test_a_case_shows_everything_known_of_it(site):
    run = site.runs[1]
    index = site.archive.index(run)
    ordinal = next(
        at for at, one in enumerate(site.cases)
        if index.standings[at].outcome == "right" and at != 8 and index.score("evidence_recall@5")[at] == 1
        and site.archive.runs.result(run.id, one.id).scores["faithfulness"].value is not None
    )  # fmt: skip
    case = site.cases[ordinal]
    page = await page_of(site, case_url(run.id, case.id))
    text = page.text
    assert case.question in text
    assert case.answers[1] in text
    assert "the window is extended to 31 January of the following year" in text
    assert "mark" in page.tags
    assert "100% retrieved" in text
    assert "statements@5f0c1e9a" in text
    assert "never checked against people" in text
    assert "No passage says this." in text
    documents = [link for link in page.values("a", "href") if link.startswith("/documents/")]
    assert any("start=" in link and "end=" in link for link in documents)


async def test_next_goes_through_the_chosen_cases_in_order(site):
    links = await listed(site, "outcome=partly+right")
    seen = [links[0]]
    while found := re.findall(r'rel="next" data-key="j" href="([^"]*)"', (await get(site.url + seen[-1]))[1]):
        seen.append(unescape(found[0]))
    assert seen == links
    assert len(seen) > 1
    assert 'data-key="k"' in (await get(site.url + seen[-1]))[1]


async def test_two_runs_are_compared_case_by_case(site):
    first, second = (run.id for run in site.runs)
    page = await page_of(site, f"/runs/{first}/diff/{second}")
    found = site.archive.index(site.runs[0]).columns, site.archive.index(site.runs[1]).columns
    said = diff(*found)
    metric = said.metrics["exact_match"]
    assert f"{metric.first:.3f}" in page.text
    assert f"{metric.gained} / {metric.lost}" in page.text
    assert f"all that changed ({said.changed})" in page.text
    lost = await page_of(site, f"/runs/{first}/diff/{second}?kind=lost")
    assert lost.tags.count("article") == min(20, said.counts["lost"])
    status, _, headers = await get(f"{site.url}/runs/compare?a={first}&b={second}", allow_redirects=False)
    assert (status, headers["location"]) == (303, f"/runs/{first}/diff/{second}")
    status, html, _ = await get(f"{site.url}/runs/compare?a={first}")
    assert status == 400
    assert "Choose one as A" in html


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/runs/ffffffff", 404, "There is no run ffffffff"),
        ("/runs/nonsense!", 400, "not a run id"),
        (f"/runs/{'{run}'}/cases/{quote('<b>none</b>', safe='')}", 404, "has no result for case"),
        ("/cases/none", 404, "Use one of returns"),
        ("/cases/none/review", 404, "no set of cases none"),
        (f"/cases/{SET}/review?case=abc", 404, "There is no case abc"),
        ("/runs?cases=none", 404, "no set of cases none"),
    ],
)
async def test_what_is_not_there_is_a_page_that_says_so(site, path, status, said):
    got, html, headers = await get(site.url + path.replace("{run}", site.runs[0].id))
    assert (got, headers["content-type"]) == (status, "text/html; charset=utf-8")
    page = HtmlPage(html)
    assert said in page.text
    assert "b" not in page.values("b", "class")
    assert page.wrong == []


async def test_the_report_can_be_downloaded(site):
    status, html, headers = await get(f"{site.url}/runs/{site.runs[0].id}/report.html")
    assert status == 200
    assert headers["content-disposition"].startswith("attachment")
    assert "All 60 cases, worst first" in HtmlPage(html).text


async def test_a_running_run_is_shown_as_it_goes_and_asks_to_be_fetched_again(own):
    spec = replace(own.runs[0].spec, system="still going")
    with own.archive.runs.start(spec, resume=False) as live:
        live.add(Result(0, 0, own.cases[0].id, Output("yes"), {"token_f1": Score(0.25)}), Tally(paid_calls=1))
        live.flush()
        page = await page_of(own, f"/runs/{live.id}/standing")
        assert page.values("div", "data-live") == [f"/runs/{live.id}/standing"]
        assert "1 of 12" in page.text
        assert "0.250" in page.text
        assert "so far" in page.text
        whole = await page_of(own, f"/runs/{live.id}")
        assert "still running: 1 of 12" in whole.text
        assert (await page_of(own, "/runs")).values("meta", "content")[-1] == "5"
        live.add(Result(1, 0, own.cases[1].id, Output("yes"), {"token_f1": Score(1.0)}), Tally(paid_calls=1))
        live.finish("interrupted")
    page = await page_of(own, f"/runs/{live.id}/standing")
    assert page.values("div", "data-live") == []
    assert "0.625" in page.text
    ended = (await page_of(own, f"/runs/{live.id}")).text
    assert "interrupted: 2 of 12" in ended
    assert "0.625" in ended  # not what was made of it before


async def test_every_answer_of_a_case_is_there_and_the_worst_comes_first(own):
    spec = replace(own.runs[0].spec, replicas=3, system="three times")
    with own.archive.runs.start(spec, resume=False) as live:
        for replica, (text, value) in enumerate((("first", 1.0), ("second", 0.0), ("third", 0.5))):
            live.add(Result(0, replica, own.cases[0].id, Output(text), {"token_f1": Score(value)}), Tally())
        live.finish("interrupted")
    text = (await page_of(own, case_url(live.id, own.cases[0].id))).text
    assert text.index("second") < text.index("first")
    assert "All 3 answers" in text
    assert "wrong" in text.partition("All 3")[0]
    _, listed_cases, _ = await get(f"{own.url}/api/runs/{live.id}/cases")
    (one,) = json.loads(listed_cases)["cases"]
    assert (one["outcome"], one["replica"], one["replicas"], one["text"]) == ("wrong", 1, 3, "second")


@pytest.mark.parametrize("name", [".", "..", "a/b c", "q?x=1#y&z", "%2F", "ü\u202e"])
async def test_a_case_can_be_called_anything(tmp_path, name):
    database = open_database(sqlite_url(tmp_path / "assay.db"))
    archive, cases = Archive(database), [Case(name, "What?"), Case("other", "Who?")]
    digest = archive.cases.save("odd", cases, "test")
    spec = replace(evaluated_spec(), set_digest=digest, cases=2)
    with archive.runs.start(spec) as live:
        for at, case in enumerate(cases):
            live.add(Result(at, 0, case.id, Output("so"), {"token_f1": Score(0.5)}), Tally())
        live.finish("done")
    with serving(archive) as url:
        status, html, _ = await get(f"{url}/runs/{live.id}")
        links = [link for link in HtmlPage(html).values("a", "href") if "/cases/" in link]
        assert len(links) == 2
        texts = []
        for link in links:
            # However it is written, a browser would take it for a step up.
            assert {unquote(step) for step in link.partition("?")[0].split("/")} & {".", ".."} == set()
            status, html, _ = await get(aiohttp.client.URL(url + link, encoded=True))
            assert status == 200
            texts.append(HtmlPage(html).text)
        assert any("What?" in text for text in texts)
        assert any("Who?" in text for text in texts)


def evaluated_spec():
    return RunSpec("s", None, "answerer", "", "odd", 1, 1, ({"metrics": ["token_f1"], "digest": "a", "judge": None},))


async def test_an_empty_workspace_says_what_to_do(tmp_path):
    with serving(Archive(open_database(sqlite_url(tmp_path / "assay.db")))) as url:
        for path, command in (("/runs", "assay eval"), ("/cases", "assay cases import jsonl FILE")):
            status, html, _ = await get(url + path)
            assert status == 200
            assert command in HtmlPage(html).text


# ---- the review


async def progress(own):
    return ReviewQueue(own.archive.database, SET).progress()


def form(case, decision, **fields):
    return {"case": case.digest, "decision": decision, **fields}


async def test_a_review_goes_from_case_to_case_and_can_be_taken_back(own):
    url = f"{own.url}/cases/{SET}/review"
    case = own.cases[0]
    assert case.question in (await page_of(own, f"/cases/{SET}/review")).text
    status, _, headers = await post(url, form(case, "accepted"), allow_redirects=False)
    assert (status, headers["location"]) == (303, f"/cases/{SET}/review")
    await post(url, form(own.cases[1], "rejected"))
    await post(url, form(own.cases[2], "skipped"))
    now = await progress(own)
    assert (now.accepted, now.rejected, now.skipped, now.to_review) == (1, 1, 1, 10)
    status, html, _ = await post(url, form(own.cases[3], "undo"))
    assert own.cases[2].question in HtmlPage(html).text
    assert (await progress(own)).skipped == 0
    status, html, headers = await post(url, form(case, "finish"), allow_redirects=False)
    assert (status, headers["location"]) == (303, f"/cases/{SET}")
    kept = own.archive.cases.load(SET)
    assert [one.id for one in kept] == [case.id]
    assert "2 versions" in (await page_of(own, f"/cases/{SET}")).text


async def test_a_case_is_fixed_in_its_form_and_what_was_left_alone_stays(own):
    case = own.cases[0]
    queue = ReviewQueue(own.archive.database, SET)
    fields = [("case", case.digest), ("decision", "fixed"), ("question", "Until when?\r\nExactly?")]
    fields += [("answer", answer) for answer in ("31 January", " ")]
    fields += [
        ("document", case.evidence[0].document),
        ("quote", case.evidence[0].quote),
        ("document", ""),
        ("quote", ""),
    ]
    await post(f"{own.url}/cases/{SET}/review", fields)
    fixed = queue.item(case.digest).fixed
    assert fixed == replace(case, question="Until when?\nExactly?", answers=("31 January",))


async def test_evidence_given_by_its_place_is_fixed_as_a_quote_only_where_it_was_changed(own):
    document = own.cases[0].evidence[0].document
    case = Case(
        "placed", "What?", evidence=(Evidence(document, start=0, end=20, grade=2), Evidence(document, start=21, end=40))
    )
    own.archive.cases.save("placed", [case], "test")
    page = await page_of(own, "/cases/placed/review")
    text = own.archive.library().find(document)[1]
    assert text[:20].strip() in page.text
    fields = [("case", case.digest), ("decision", "fixed"), ("question", "Which?"), ("document", document)]
    fields += [("quote", text[:20].strip()), ("document", document), ("quote", text[21:30])]
    await post(f"{own.url}/cases/placed/review", fields)
    fixed = ReviewQueue(own.archive.database, "placed").item(case.digest).fixed
    assert fixed.evidence == (case.evidence[0], Evidence(document, text[21:30].strip()))


async def test_a_fix_that_does_not_hold_is_shown_again_with_what_was_written(own):
    case = own.cases[0]
    fields = form(
        case, "fixed", question="Kept words?", document=case.evidence[0].document, quote="Nowhere to be found"
    )
    status, html, _ = await post(f"{own.url}/cases/{SET}/review", fields)
    page = HtmlPage(html)
    assert status == 400
    assert "does not stand in" in page.text
    assert "Kept words?" in page.text
    assert "Nowhere to be found" in page.text
    assert (await progress(own)).fixed == 0
    status, html, _ = await post(f"{own.url}/cases/{SET}/review", form(case, "fixed", question=" "))
    assert status == 400
    assert "The case has no question" in html


async def test_evidence_is_shown_where_it_stands_or_why_it_does_not(own):
    page = await page_of(own, f"/cases/{SET}/review")
    assert "mark" in page.tags
    assert "Opened software is excluded" in page.text  # around it
    wrong = [replace(own.cases[0], evidence=(Evidence(own.cases[0].evidence[0].document, "Not a word of it"),))]
    own.archive.cases.save("wrong", wrong, "test")
    assert "does not stand in" in (await page_of(own, "/cases/wrong/review")).text
    own.archive.cases.save("gone", [replace(wrong[0], evidence=(Evidence("gone.md", "words"),))], "test")
    assert "not in the workspace" in (await page_of(own, "/cases/gone/review")).text


async def test_a_review_with_nothing_left_offers_to_save(own):
    for case in own.cases:
        await post(f"{own.url}/cases/{SET}/review", form(case, "accepted"), allow_redirects=False)
    page = await page_of(own, f"/cases/{SET}/review")
    assert "Every case is decided" in page.text
    assert "Save 12 reviewed cases as a new version" in page.text


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}],
)
async def test_no_other_site_can_decide(own, headers):
    status, _, _ = await post(f"{own.url}/cases/{SET}/review", form(own.cases[0], "accepted"), headers=headers)
    assert status == 403
    assert (await progress(own)).accepted == 0


async def test_what_is_no_form_of_ours_is_refused(own):
    url = f"{own.url}/cases/{SET}/review"
    fields = form(own.cases[0], "accepted")
    async with aiohttp.ClientSession() as session:
        async with session.post(url, json=fields) as response:
            assert response.status == 400
        async with session.post(url, data=form(own.cases[0], "fixed", question="x" * 70_000)) as response:
            assert response.status == 413
        async with session.post(url, data={f"f{n}": "" for n in range(600)}) as response:
            assert response.status == 400
        async with session.post(url, data=form(own.cases[0], "burned")) as response:
            assert response.status == 400
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        async with session.post(url, data=b"case=\xff\xfe%ff", headers=kind) as response:
            assert response.status == 400
        async with session.get(url, headers={"Host": "evil.example"}) as response:
            assert response.status == 421
    assert (await progress(own)).total == (await progress(own)).to_review


# ---- the API


async def test_the_api_tells_the_same_as_json(site):
    async with aiohttp.ClientSession() as session:

        async def read(path):
            async with session.get(site.url + path) as response:
                return response.status, await response.json()

        _, listed_runs = await read("/api/runs?limit=1&offset=1")
        assert [run["run_id"] for run in listed_runs["runs"]] == [site.runs[0].id]
        _, run = await read(f"/api/runs/{site.runs[1].id[:12]}")
        board = site.archive.index(site.runs[1]).board
        assert run["metrics"]["exact_match"]["low"] == board.metrics["exact_match"].low
        assert run["cases_set"]["cases"] == 60
        assert run["scorers"][1]["judge"]["name"] == "ragas"
        _, cases = await read(f"/api/runs/{site.runs[1].id}/cases?outcome=failed&limit=2")
        failed = dict(site.archive.index(site.runs[1]).outcomes)["failed"]
        assert (cases["total"], len(cases["cases"])) == (failed, 2)
        assert cases["cases"][0]["error"].startswith("timed_out")
        _, hostile = await read(f"/api/runs/{site.runs[1].id}/cases?q=onerror")
        assert hostile["cases"][0]["case"]["question"].startswith(HOSTILE)
        _, sets = await read("/api/cases")
        assert [(one["name"], one["cases"]) for one in sets["sets"]] == [(SET, 60)]
        status, problem = await read("/api/runs/ffff")
        assert (status, problem["error"]["code"]) == (404, "not_found")
        _, document = await read("/openapi.json")
        assert {"/api/runs", "/api/runs/{run_id}", "/api/runs/{run_id}/cases", "/api/cases"} <= set(document["paths"])
        assert "/runs" not in document["paths"]


async def test_text_that_is_no_unicode_does_not_break_a_page(own):
    spec = replace(own.runs[0].spec, system="broken text")
    with own.archive.runs.start(spec, resume=False) as live:
        live.add(Result(0, 0, own.cases[0].id, Output("half \ud800 a pair"), {"token_f1": Score(0.5)}), Tally())
        live.finish("interrupted")
    assert "half" in (await page_of(own, case_url(live.id, own.cases[0].id))).text
    status, text, _ = await get(f"{own.url}/api/runs/{live.id}/cases")
    assert status == 200
    assert "half ? a pair" in text


async def test_single_results_of_confirm_cases_are_on_no_page(tmp_path):
    site = evaluated(tmp_path, 60)
    run = site.runs[0]
    with serving(site.archive) as site.url:
        before = json.loads((await get(f"{site.url}/api/runs/{run.id}/cases?limit=100"))[1])
        assert before["total"] == 60
        splits = SplitStore(site.archive.database)
        split = splits.split(SET, site.cases, dev_share=0.5)
        dev, confirm = {case.id for case in split.dev}, [case for case in site.cases if case not in split.dev]
        after = json.loads((await get(f"{site.url}/api/runs/{run.id}/cases?limit=100"))[1])
        assert {row["case"]["id"] for row in after["cases"]} == dev
        assert after["total"] == len(dev) < 60
        listed = (await get(f"{site.url}/runs/{run.id}"))[1]
        assert f"Not listed: {len(confirm)} cases that decisions are made on." in listed
        whole = (await get(f"{site.url}/runs/{run.id}/report.html"))[1]
        kept = confirm[0]
        status, html, _ = await get(site.url + case_url(run.id, kept.id))
        assert status == 404
        assert f"assay cases open {SET} " in unescape(html)
        for case in confirm:
            assert case_url(run.id, case.id) not in unescape(listed)
        assert whole.count('<details class="case"') == len(dev)
        assert "Not listed:" in whole
        splits.open_case(SET, kept.id)
        assert (await get(site.url + case_url(run.id, kept.id)))[0] == 200

"""The report file: whole, inert, within its size, and honest about what it leaves out."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.app.report.case_parts import gold_spans
from assay.app.report.page import MOST_BYTES, write_report
from assay.app.report.text import inert, marked, one_line, shown
from assay.app.report.view import CaseView
from assay.errors import BadInput
from assay.evals.case import Case
from assay.evals.output import Output, Retrieved
from assay.evals.result import Result
from assay.evals.scorer import Gold, Score
from html_page import HtmlPage as Page
from report_run import ANSI, HOSTILE, view_of


def written(folder, view):
    path = folder / "report.html"
    write_report(path, view)
    return path.read_text(encoding="utf-8")


def test_hostile_text_is_shown_and_does_nothing(tmp_path):
    html = written(tmp_path, view_of(tmp_path))
    page = Page(html)
    assert "img" not in page.tags
    assert page.tags.count("script") == 1
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert HOSTILE in "".join(page.pieces)
    assert page.wrong == []
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", html)


def test_nothing_in_it_names_another_file(tmp_path):
    page = Page(written(tmp_path, view_of(tmp_path)))
    assert {"link", "iframe", "object", "embed", "base", "a"} & set(page.tags) == set()
    assert [name for _, name, _ in page.attributes if name in {"src", "href", "action", "srcset"}] == []
    policy = next(
        value for tag, name, value in page.attributes if (tag, name) == ("meta", "content") and "src" in value
    )
    assert policy.startswith("default-src 'none'")


def test_it_tells_what_was_measured_and_how(tmp_path):
    view = view_of(tmp_path)
    text = Page(written(tmp_path, view)).text
    metric = view.board.metrics["exact_match"]
    assert "assay.toml: support" in text
    assert view.run.spec.set_digest[:12] in text
    assert "180 paid" in text
    assert f"{metric.low:.3f} to {metric.high:.3f}" in text
    assert metric.reason in text
    assert "never checked against people" in text
    assert "statements@5f0c1e9a" in text
    assert "All 60 cases, worst first" in text


def test_gold_is_marked_in_the_passages(tmp_path):
    html = written(tmp_path, view_of(tmp_path))
    assert "<mark>the window is extended to 31 January of the following year</mark>" in html


def test_the_worst_cases_come_first_and_the_cap_is_said(tmp_path):
    html = written(tmp_path, view_of(tmp_path, 60, most_cases=7))
    text = Page(html).text
    assert html.count('<details class="case"') == 7
    assert "7 of 60 cases, worst first" in text
    outcomes = re.findall('data-outcome="([^"]*)"', html)
    assert outcomes == ["failed"] * outcomes.count("failed") + outcomes[outcomes.count("failed") :]
    assert 0 < outcomes.count("failed") < 7


def big_case(number):
    long = f"{number} {HOSTILE}{ANSI}" + "lorem ipsum <&> " * 700_000
    output = Output(long, passages=tuple(Retrieved("d", long[:200_000], 0, 200_000) for _ in range(20)))
    judged = {f"judge_{n}": Score(0.5, "", long, {"statements": [long] * 50, "supported": [1] * 50}) for n in range(4)}
    result = Result(number, 0, f"q{number}", output, judged | {"failed": Score(None, long)}, latency_ms=1.0)
    return CaseView(Case(f"q{number}", long, (long,) * 9), (Gold("d", long[:50_000], 0, 50_000),) * 9, result)


def test_ten_megabyte_replies_are_cut_and_the_file_stays_small(tmp_path):
    view = view_of(tmp_path)
    one = big_case(0)
    html = written(tmp_path, replace(view, cases=(replace(one) for _ in range(500))))
    assert len(html.encode()) < 10_000_000
    assert Page(html).wrong == []
    shown_cases = html.count('<details class="case"')
    assert 0 < shown_cases < 500
    assert f"{shown_cases} of 60 cases" in " ".join("".join(Page(html).pieces).split())
    assert "as many as fit into this file" in html
    assert "characters …" in html


def test_the_size_is_what_is_promised():
    assert MOST_BYTES < 10_000_000


def test_an_unfinished_run_says_so(tmp_path):
    view = view_of(tmp_path)
    stopped = replace(view, run=replace(view.run, status="budget"))
    assert "This run is stopped by its budget: 60 of 60 questions are in it." in written(tmp_path, stopped)


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path):
    view = view_of(tmp_path)
    path = tmp_path / "report.html"
    path.write_text("the old one")

    def broken():
        yield from view.cases
        raise RuntimeError("the database went away")

    with pytest.raises(RuntimeError):
        write_report(path, replace(view, cases=broken()))
    assert path.read_text() == "the old one"
    assert sorted(file.name for file in tmp_path.iterdir() if "report" in file.name) == ["report.html"]
    with pytest.raises(BadInput, match="cannot be written"):
        write_report(tmp_path / "none" / "report.html", view)


@given(st.text(max_size=60), st.integers(1, 80))
def test_shown_text_is_the_text_and_nothing_acts(text, most):
    html = str(shown(text, most))
    visible = "".join(Page(html).pieces)
    assert visible.startswith(inert(text[:most]).replace("\r", "\n")[:1])
    assert "<" not in html.replace('<span class="cut">', "").replace("</span>", "")
    assert ("characters" in visible) == (len(text) > most) or "characters" in text
    assert len(one_line(text, most)) <= most


@given(
    st.text(alphabet="ab <&", max_size=80), st.lists(st.tuples(st.integers(-5, 90), st.integers(-5, 90)), max_size=4)
)
def test_marked_text_is_all_of_the_text_with_exactly_the_spans_marked(text, spans):
    html = str(marked(text, spans, 1_000))
    assert "".join(Page(html).pieces) == text
    wanted = {at for start, end in spans for at in range(max(0, start), min(end, len(text)))}
    inside, at, found = False, 0, set()
    for part in re.split("(</?mark>)", html):
        if part in {"<mark>", "</mark>"}:
            inside = part == "<mark>"
            continue
        length = len("".join(Page(part).pieces))
        found |= set(range(at, at + length)) if inside else set()
        at += length
    assert found == wanted


def test_a_long_passage_is_shown_around_its_gold():
    text = "x" * 5_000 + "GOLD" + "y" * 5_000
    html = str(marked(text, [(5_000, 5_004)], 400))
    assert "<mark>GOLD</mark>" in html
    assert "4,900 characters" in html
    assert len("".join(Page(html).pieces)) < 500


@pytest.mark.parametrize(
    ("passage", "spans"),
    [
        (Retrieved("d", "the quick brown fox jumps", 100, 125), [(4, 25)]),
        (Retrieved("d", "it said the quick brown fox jumps over all"), [(12, 42)]),
        (Retrieved("e", "the quick brown fox jumps", 100, 125), []),
    ],
)
def test_gold_stands_where_the_passage_holds_it(passage, spans):
    gold = Gold("d", "quick brown fox jumps over all", 104, 134)
    assert gold_spans(passage, [gold]) == spans

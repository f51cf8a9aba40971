"""The HTML of a turn: nothing from outside can become a tag, and every end of a turn has its own look."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from assay.answers.outcome import Answer, Citation, Declined, Outcome
from assay.app.scripted import FETCHING, READY
from assay.app.service import DocumentRow, IngestStatus, ModelStatus, ReleaseStatus, SettingInForce
from assay.app.web import frame, tables
from assay.app.web.answer import body_markup, question_markup, short_name, spoken, status_markup
from assay.app.web.conversation import Failure, Turn
from assay.documents.document import Passage
from assay.index.hit import Hit
from assay.models.chat import Usage

HOSTILE = "\"'><img src=x onerror=alert(1)><script>alert(1)</script><a href='javascript:alert(1)'>[1]</a>&lt;b&gt;"

OURS = {
    "a", "article", "b", "bdi", "button", "circle", "code", "details", "div", "form", "h1", "h2", "i", "input", "kbd",
    "li", "p", "path", "rect", "section", "span", "summary", "svg", "table", "tbody", "td", "textarea", "th", "thead",
    "tr", "ul",
}  # fmt: skip


class Tags(HTMLParser):
    """Collects tags, handlers and links, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.bad: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name.startswith("on") or (name == "href" and not (value or "").startswith(("/", "#"))):
                self.bad.append(f"{name}={value}")

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(markup: Markup) -> Tags:
    tags = Tags()
    tags.feed(str(markup))
    tags.close()
    return tags


def assert_harmless(markup: Markup) -> None:
    found = parsed(markup)
    assert found.tags <= OURS
    assert found.bad == []


def turn_of(outcome: Outcome) -> Turn:
    turn = Turn("q")
    turn.outcome = outcome
    return turn


def hostile_hit(text: str) -> Hit:
    return Hit(Passage(text, 0, 0, 5, text, 3, text), text, text, 1.0)


def all_markups(text: str) -> list[Markup]:
    """Every piece of the page that shows something from outside, made of `text` alone."""
    citation = Citation(1, text, text, 0, 5, text, 2, False)
    supported = Citation(2, text, text, 0, 5, text)
    running = Turn(text, step=text, detail=text, text=text)
    failed = Turn(text)
    failed.failure = Failure(text, text, text)
    status = IngestStatus("running", 1, 2, 3, 4, text, ((text, text, text),))
    models = [ModelStatus("chat", text, "loading", text, 1, 2), ModelStatus("embedder", text, "failed", text)]
    return [
        question_markup(text),
        body_markup(turn_of(Answer(text, (citation, supported), (), flags=(text,), trace_id=text))),
        body_markup(turn_of(Declined(text, (hostile_hit(text),), trace_id=text))),
        body_markup(failed),
        body_markup(running),
        status_markup(running, models),
        tables.documents_markup([DocumentRow(text, text, text + "t", text, 1, 1, 1)], matching="", has_more=True),
        tables.documents_markup([], matching=text, has_more=False),
        tables.ingestion_markup(status),
        tables.ingestion_markup(IngestStatus("failed", current=text)),
        tables.models_markup(models),
        tables.settings_markup([SettingInForce(text, text, text, text)]),
        tables.problem_markup(text, text),
        tables.command_markup(text, text),
        frame.state_markup(models, status),
        tables.release_markup(ReleaseStatus(text, text, problem=text, is_exact=False)),
    ]


@pytest.mark.parametrize("number", range(len(all_markups("x"))))
def test_nothing_from_outside_becomes_html(number: int) -> None:
    assert_harmless(all_markups(HOSTILE)[number])


@given(st.text(st.sampled_from("<>&\"'`=/ []1a{}%\\\n\x00"), max_size=40))
def test_no_text_at_all_becomes_html(text: str) -> None:
    for markup in all_markups(text):
        assert_harmless(markup)


def test_the_text_is_shown_as_it_is_with_its_markers_as_links() -> None:
    citation = Citation(1, "policy.md", "d1", 10, 20, "quote", 3)
    body = body_markup(turn_of(Answer("A < B [1], and [7]. **x**", (citation,), ())))
    assert parsed(body).text.startswith("A < B 1, and 7. **x**")
    assert 'href="/documents/d1?start=10&amp;end=20" data-open="/?document=d1&amp;start=10&amp;end=20"' in body
    assert 'aria-label="Source 1: policy.md, page 3"' in body
    assert '<span class="chip pending">7</span>' in body, "a marker without a citation leads nowhere"


def test_a_flag_stands_under_a_title_of_its_kind() -> None:
    unsupported = "No passage supports: m put no phrase before the quote: x."
    cut, phrase, new = (
        "The answer was cut off at 6 tokens (answers.max_tokens).",
        "m put no phrase before the quote: x",
        "?",
    )
    text = parsed(body_markup(turn_of(Answer("x", (), (), flags=(phrase, cut, unsupported, new))))).text
    assert f"Not supported by the passages{unsupported}The answer ends early{cut}Only the quote{phrase}" in text
    assert text.count("Not supported") == 1
    alone = parsed(body_markup(turn_of(Answer("x", (), (), flags=(cut,))))).text
    assert "Not supported" not in alone


def test_the_foot_has_time_tokens_cost_and_trace() -> None:
    usage = Usage(uncached=2000, cache_read=310, output=100, reasoning=86)
    body = body_markup(turn_of(Answer("x", (), (), usage, None, 1840.0, "abc")))
    assert re.search(r"1\.84 s</span>.*2,310 in, 186 out</span>.*unpriced</span>.*/trace/abc", body)
    free = body_markup(turn_of(Answer("x", (), ())))
    assert "no tokens" in free
    assert "$0" in free
    assert "/trace/" not in free


def test_each_step_is_named_and_models_that_load_come_first() -> None:
    turn = Turn("q", step="pack", detail="8 passages")
    assert parsed(status_markup(turn, READY)).text.startswith("Reading8 passages")
    assert parsed(status_markup(turn, FETCHING)).text.startswith("Waiting for the model SmolLM2-135M-Instruct39 MB of")
    turn.step = "generate"
    assert parsed(status_markup(turn, FETCHING)).text.startswith("Writing"), "it would not write if it still waited"
    turn.is_stopped = True
    assert status_markup(turn, READY) == ""


def test_what_is_spoken_is_how_it_ended() -> None:
    assert spoken(turn_of(Answer("It is so [1].", (), ()))) == "It is so ."
    assert spoken(turn_of(Declined("Nothing there.", ()))) == "No answer: Nothing there."
    failed = Turn("q")
    failed.failure = Failure("It broke.")
    assert spoken(failed) == "Failed: It broke."


def test_paths_are_shortened_and_titles_are_not() -> None:
    assert short_name("a/b/c.pdf") == "c.pdf"
    assert short_name("TCP/IP illustrated") == "TCP/IP illustrated"
    assert short_name("plain.md") == "plain.md"


def test_settings_are_grouped_and_an_unset_one_says_so() -> None:
    shown = parsed(
        tables.settings_markup([SettingInForce("a.b", None, "default", "d"), SettingInForce("c.d", 0, "flag", "e")])
    )
    assert "not set" in shown.text
    assert "0" in shown.text


def test_a_failed_model_is_said_before_anything_else() -> None:
    failed = ModelStatus("chat", "m", "failed", "no file")
    assert "A model failed" in frame.state_markup([*FETCHING, failed], IngestStatus("running"))
    assert frame.state_markup(READY, IngestStatus()) == ""
    assert "A release failed" in frame.state_markup(READY, IngestStatus(), ReleaseStatus(problem="no model"))


def test_a_release_says_what_put_it_there() -> None:
    assert "Fixed when the server started" in tables.release_markup(None)
    assert "PROMOTE" in tables.release_markup(ReleaseStatus("0123456789", "PROMOTE"))
    marked = tables.release_markup(ReleaseStatus("0123456789", "WORSE", without_evidence=True))
    assert "without evidence" in marked
    assert "WORSE" not in marked
    assert "what serves is not" in tables.release_markup(ReleaseStatus("0123456789", "PROMOTE", is_exact=False))
    assert "no model" in tables.release_markup(ReleaseStatus(problem="no model"))

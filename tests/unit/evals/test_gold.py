"""Gold found again in documents, whatever typesetting and readers did, and how much of it passages hold."""

import time

import pytest

from assay.errors import BadInput, NotFound
from assay.evals.answer_metrics import CitationScorer
from assay.evals.case import Case, Evidence
from assay.evals.gold import (
    Texts,
    covered,
    find_quote,
    held,
    is_found,
    is_relevant,
    locate,
    resolve,
    resolve_all,
    same_document,
)
from assay.evals.normalised import NormalisedText, normalised
from assay.evals.output import Cited, Output, Retrieved
from assay.evals.scorer import Gold

TEXT = "One. Two is here. Three. Two is here. End."
CORPUS = Texts({"handbook/a.md": TEXT, "other/b.md": "Nothing.", "x/c.md": "c", "y/c.md": "c"})


def gold_of(*evidence, corpus=CORPUS, **options):
    return resolve(Case("case-7", "?", evidence=evidence), corpus, **options)


def test_a_quote_is_found_in_the_document_whose_path_ends_in_its_name():
    assert gold_of(Evidence("a.md", "Two is here.")) == (Gold("handbook/a.md", "Two is here.", 5, 17),)


@pytest.mark.parametrize(("start", "expected"), [(None, 5), (0, 5), (5, 5), (14, 5), (16, 25), (25, 25), (900, 25)])
def test_of_several_occurrences_the_nearest_to_the_start_counts(start, expected):
    (gold,) = gold_of(Evidence("a.md", "Two is here.", start, None if start is None else start + 1))
    assert (gold.start, gold.end) == (expected, expected + 12)


def test_offsets_alone_are_taken_and_lose_the_white_space_at_their_ends():
    assert gold_of(Evidence("a.md", start=4, end=18)) == (Gold("handbook/a.md", "Two is here.", 5, 17),)


def test_a_whole_document_keeps_its_grade():
    (gold,) = gold_of(Evidence("a.md", grade=3))
    assert gold == Gold("handbook/a.md", grade=3)


@pytest.mark.parametrize(
    ("evidence", "match"),
    [
        (Evidence("a.md", "Two is there."), "case-7.*Two is there"),
        (Evidence("a.md", start=5, end=500), "case-7.*500"),
        (Evidence("a.md", start=4, end=5), "case-7.*blank"),
        (Evidence("c.md", "c"), "2 documents"),
    ],
)
def test_evidence_that_is_not_there_is_refused(evidence, match):
    with pytest.raises(BadInput, match=match):
        gold_of(evidence)


def test_a_document_elsewhere_keeps_its_quote_unless_it_is_required():
    evidence = Evidence("http://else/where.html", "Two is here.")
    assert gold_of(evidence) == (Gold("http://else/where.html", "Two is here."),)
    with pytest.raises(NotFound, match=r"where\.html"):
        gold_of(evidence, required=True)


def test_every_case_without_its_gold_is_named_at_once():
    cases = [Case(str(i), "?", evidence=(Evidence("a.md", "nowhere"),)) for i in range(30)]
    fine = Case("fine", "?", evidence=(Evidence("a.md", "One."),))
    with pytest.raises(BadInput, match="2 cases") as caught:
        resolve_all([fine, *cases[:2]], CORPUS)
    assert len(caught.value.message.splitlines()) == 3
    with pytest.raises(BadInput, match="20 cases or more"):
        resolve_all(cases, CORPUS)
    assert resolve_all([fine], CORPUS) == [(Gold("handbook/a.md", "One.", 0, 4),)]


@pytest.mark.parametrize(
    ("text", "quote", "expected"),
    [
        ("a  line\n broken here", "line broken", "line\n broken"),
        ("it’s “quoted” – so", 'it\'s "quoted" - so', "it’s “quoted” – so"),
        ("soft\u00adhyphen here", "softhyphen", "soft\u00adhyphen"),
        ("the ﬁrst oﬃce", "first office", "ﬁrst oﬃce"),
        ("cafe\u0301 noir", "café", "cafe\u0301"),
        ("café noir", "cafe\u0301 n", "café n"),
        ("no\u00a0break space", "no break", "no\u00a0break"),
        ("zero\u200bwidth", "zerowidth", "zero\u200bwidth"),
        ("wait… what", "wait... what", "wait… what"),
        ("Ångström Å", "Ångström", "Ångström"),
        ("x² + y", "x2 + y", "x² + y"),
        ("日本\u3000語", "日本 語", "日本\u3000語"),
        ("e\u0323\u0301 dots", "e\u0301\u0323 dots", "e\u0323\u0301 dots"),
        ("one \u00ad\n two", "one two", "one \u00ad\n two"),
    ],
)
def test_a_quote_is_found_as_text_is_compared_and_maps_back(text, quote, expected):
    before, after = "Before.\n\n\n", "  after"
    start, end = find_quote(before + text + after, quote)
    assert (before + text + after)[start:end] == expected


@pytest.mark.parametrize(
    ("text", "quote"), [("The End", "the end"), ("a.b", "ab"), ("ab", "a b"), ("text", ""), ("text", " \n")]
)
def test_case_punctuation_and_spaces_between_words_count(text, quote):
    assert NormalisedText(text).find(quote) is None


def test_a_long_document_is_searched_quickly():
    text = "".join(f"Sentence  number {i} says “something” about nothing.\n" for i in range(40_000))
    started = time.perf_counter()
    for i in range(1_000, 1_040):
        start, end = find_quote(text, f'number {i} says "something"')
        assert text[start:end] == f"number {i} says “something”"
    assert time.perf_counter() - started < 3  # 2 MB: normalised once, not forty times


GOLD = Gold("handbook/a.md", TEXT[5:37], 5, 37)  # two sentences and one between
SHORT = Gold("handbook/a.md", "Two", 5, 8)


def passage(start, end, document="handbook/a.md"):
    return Retrieved(document, TEXT[start:end], start, end)


@pytest.mark.parametrize(
    ("passages", "share"),
    [
        ([], 0),
        ([passage(0, 42)], 1),
        ([passage(5, 21)], 0.5),
        ([passage(5, 21), passage(13, 29)], 0.75),
        ([passage(5, 21), passage(5, 21)], 0.5),
        ([passage(5, 21), passage(21, 42)], 1),
        ([passage(0, 5)], 0),
        ([passage(0, 42, "other/b.md")], 0),
        ([passage(0, 42, "a.md")], 1),
    ],
)
def test_coverage_is_the_union_of_what_passages_hold(passages, share):
    assert covered(GOLD, passages) == share


def test_without_offsets_coverage_goes_by_the_words_shared():
    quote = "Difficulty of questions varies far more than systems do, and pairing removes it."
    gold = Gold("a.md", quote)
    assert covered(gold, [Retrieved("a.md", f"Before. {quote.replace(' ', chr(10))} After.")]) == 1
    half = Retrieved("a.md", "Before. Difficulty of questions varies far more")
    assert covered(gold, [half]) == pytest.approx(len("Difficulty of questions varies far more") / len(quote))
    rest = Retrieved("a.md", "than systems do, and pairing removes it. After")
    assert 0.98 < covered(gold, [half, rest]) < 1  # but for the space between
    assert covered(gold, [Retrieved("a.md", "far more than I can say")]) == 0  # a common phrase
    assert covered(gold, [Retrieved("b.md", quote)]) == 0
    assert covered(gold, [Retrieved("", quote)]) == 1  # the system does not name its documents


def test_a_whole_document_is_held_by_any_passage_of_it():
    assert covered(Gold("handbook/a.md"), [passage(0, 4)]) == 1
    assert covered(Gold("handbook/a.md"), [passage(0, 4, "other/b.md")]) == 0
    assert covered(Gold("handbook/a.md"), [Retrieved("", TEXT)]) == 0


def test_a_short_piece_is_found_as_a_whole_and_a_long_one_by_half():
    assert not is_found(SHORT, 0.99)
    assert is_found(SHORT, 1.0)
    long = Gold("a", "x" * 101)
    assert is_found(long, 0.5)
    assert not is_found(long, 0.49)


def test_a_passage_is_relevant_when_it_finds_a_piece_or_lies_half_in_it():
    long = Gold("d", "x" * 1_000, 0, 1_000)
    assert is_relevant(long, Retrieved("d", "x" * 200, 900, 1_100))
    assert not is_relevant(long, Retrieved("d", "x" * 200, 901, 1_101))
    assert is_relevant(long, Retrieved("d", "x" * 3_000, 500, 3_500))
    assert not is_relevant(long, Retrieved("d", "x" * 3_000, 501, 3_501))
    assert is_relevant(SHORT, Cited("handbook/a.md", "Two is here.", 5, 17))
    assert not is_relevant(SHORT, Cited("handbook/a.md", "wo is here.", 6, 17))


def test_names_are_one_document_where_one_ends_the_other():
    assert same_document("a.md", "docs/a.md")
    assert same_document("docs/a.md", "a.md")
    assert not same_document("a.md", "docs/aa.md")
    assert not same_document("", "docs/")


def test_an_output_from_elsewhere_is_placed_in_the_corpus():
    output = Output(
        text="x",
        citations=(Cited("a.md", "Three."), Cited("a.md", "Nowhere."), Cited("c.md", "c")),
        passages=(Retrieved("a.md", "Two  is\nhere."), Retrieved("z.md", "Two"), passage(0, 4)),
    )
    placed = locate(output, CORPUS)
    assert placed.citations == (
        Cited("handbook/a.md", "Three.", 18, 24),
        Cited("a.md", "Nowhere."),
        Cited("c.md", "c"),
    )
    assert placed.passages == (
        Retrieved("handbook/a.md", "Two  is\nhere.", 5, 17),
        Retrieved("z.md", "Two"),
        passage(0, 4),
    )


def test_normalised_text_is_that_of_its_parts():
    assert normalised(" “A” \u00a0 b\u00ad–c ") == '"A" b-c'


@pytest.mark.parametrize(("quote", "precision"), [("within thirty days", 1), ("Thirty", 0), ("ninety days", 0)])
async def test_a_short_citation_counts_the_same_whether_its_document_is_at_hand_or_not(quote, precision):
    case = Case("q", "When?", evidence=(Evidence("terms.md", "within thirty days after delivery"),))
    output = Output(text="x", citations=(Cited("terms.md", quote),))
    for corpus in (Texts({}), Texts({"terms.md": "You may return goods within thirty days after delivery."})):
        scores = await CitationScorer().score(case, locate(output, corpus), resolve(case, corpus))
        assert scores["citation_precision"].value == precision


def test_what_lies_in_a_quote_is_held_at_its_place_in_whole_words():
    gold = Gold("terms.md", "within thirty days after delivery")
    assert held(gold, Cited("terms.md", "thirty  days")) == ((7, 18),)
    assert held(gold, Cited("terms.md", "thirt")) == held(gold, Cited("terms.md", "livery")) == ()

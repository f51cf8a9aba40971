"""Gold survives typesetting: whatever is done to a document's looks, its quotes map back to the very characters."""

import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from assay.evals.case import Case, Evidence
from assay.evals.gold import Texts, covered, find_quote, resolve
from assay.evals.normalised import NormalisedText, nearest, normalised
from assay.evals.output import Retrieved
from assay.evals.scorer import Gold

texts = st.text(
    st.one_of(st.sampled_from(" \n\t\u00a0\u00ad\u200b'’“-–ﬁé½…"), st.characters(codec="utf-8")), max_size=60
)
words = st.lists(st.text("abcdefgéöß東京'’-–\".", min_size=1, max_size=8), min_size=3, max_size=20)


@settings(max_examples=400, deadline=None)
@given(texts)
def test_every_span_of_the_normalised_text_maps_to_characters_that_hold_it(text):
    made = NormalisedText(text)
    for start in range(len(made.text)):
        a, b = made.original_span(start, start + 1)
        assert 0 <= a < b <= len(text)
        assert made.text[start] in NormalisedText(text[a:b]).text


@settings(max_examples=300, deadline=None)
@given(texts)
def test_what_is_compatible_is_the_same(text):
    # An accent that stands alone (¨, ¸) is compatible with a blank and a mark: that blank is not put together.
    text = "".join(char for char in text if char.isspace() or " " not in unicodedata.normalize("NFKD", char))
    assert normalised(unicodedata.normalize("NFKC", text)) == normalised(text)
    assert normalised(unicodedata.normalize("NFD", text)) == normalised(text)
    assert normalised(normalised(text)) == normalised(text)


@settings(max_examples=300, deadline=None)
@given(words, st.data())
def test_a_quote_that_was_typeset_again_is_found_where_it_stands(given_words, data):
    first = data.draw(st.integers(0, len(given_words) - 1))
    last = data.draw(st.integers(first, len(given_words) - 1))
    gaps = data.draw(st.lists(st.sampled_from([" ", "\n", "  \t", "\u00a0", " \u00ad "]), min_size=20, max_size=20))
    document = "".join(word + gap for word, gap in zip(given_words, gaps, strict=False))
    quote = unicodedata.normalize("NFD", " ".join(given_words[first : last + 1])).replace("’", "'").replace("–", "-")
    start, end = find_quote(document, quote)
    assert normalised(document[start:end]) == normalised(quote)
    (gold,) = resolve(Case("1", "?", evidence=(Evidence("d", quote),)), Texts({"d": document}))
    assert (gold.quote, gold.start, gold.end) == (document[start:end].strip(), gold.start, gold.end)
    assert document[gold.start : gold.end] == gold.quote


@given(st.text("ab", max_size=30), st.text("ab", min_size=1, max_size=3), st.integers(0, 40))
def test_the_nearest_occurrence_is_the_nearest(text, wanted, near):
    places = [place for place in range(len(text)) if text.startswith(wanted, place)]
    found = nearest(text, wanted, near)
    assert found == (min(places, key=lambda place: (abs(place - near), place)) if places else None)


spans = st.tuples(st.integers(0, 60), st.integers(1, 40)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@given(spans, st.lists(spans, max_size=6))
def test_coverage_counts_each_character_once(gold_span, passages):
    text = "x" * 200
    gold = Gold("d", text[slice(*gold_span)], *gold_span)
    held = {place for start, end in passages for place in range(start, end)} & set(range(*gold_span))
    found = covered(gold, [Retrieved("d", text[start:end], start, end) for start, end in passages])
    assert abs(found - len(held) / (gold_span[1] - gold_span[0])) < 1e-12

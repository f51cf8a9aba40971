from hypothesis import given
from hypothesis import strategies as st

from assay.app.web.place import Place, Spot, place_of

# Surrogates cannot stand in a URL; a document's id is never "." or "..", which servers fold away.
ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
spans = st.tuples(st.integers(0, 10**9), st.integers(1, 10**6)).map(lambda span: (span[0], span[0] + span[1]))
spots = st.one_of(st.builds(Spot, ids), st.builds(lambda document_id, span: Spot(document_id, *span), ids, spans))
places = st.one_of(
    st.builds(Place, st.sampled_from(["chat", "documents"]), st.none() | spots),
    st.just(Place("settings")),
    st.builds(lambda trace_id: Place("trace", trace_id=trace_id), ids),
)


@given(places)
def test_a_place_is_found_again_by_its_url(place: Place) -> None:
    assert place_of(place.url) == place


@given(st.text(max_size=80))
def test_every_url_is_some_place(url: str) -> None:
    # A bracket in what urlsplit takes for a host raises; a path that begins with one slash has no host.
    assert place_of("/" + url.lstrip("/\\\t\n\r ")).view in {"chat", "documents", "settings", "trace", "missing"}


def test_a_span_that_makes_no_sense_opens_the_document_at_its_beginning() -> None:
    for query in ("start=5&end=2", "start=-1&end=4x", "start=٣&end=٩", "start=1&end=" + "9" * 400, "end=0"):
        assert place_of(f"/documents/a?{query}") == Place("documents", Spot("a"))


def test_what_is_not_there_is_missing() -> None:
    assert place_of("/nowhere").view == "missing"
    assert place_of("/documents/a/b").view == "missing"

"""Filters act before the cut to k, on both sides, and agree with reading every document."""

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from assay.documents.document import Document
from assay.index.hit import Filter
from assay.index.store import Store
from assay.ledger.database import open_database, sqlite_url
from index_corpus import document, put, search_index, vector

# Characters that mean something in a regular expression or a query are the interesting ones.
_NAMES = st.text(alphabet='ab/.*+?()[]{}^$|\\ é~@&#<>"-_', min_size=1, max_size=5)
_GROUPS = st.frozensets(st.sampled_from(["x", "y", "z", "public", "g:x"]), max_size=2)
_DOCUMENTS = st.dictionaries(
    _NAMES,
    st.tuples(_GROUPS, st.dictionaries(st.sampled_from(["lang", "a=b"]), _NAMES, max_size=2)),
    min_size=1,
    max_size=8,
)


def _passes(of: Document, where: Filter) -> bool:
    if where.groups is not None and of.groups and not where.groups & set(of.groups):
        return False
    for key, value in where.metadata.items():
        if key == "source":
            held = of.source == value
        elif key == "source_prefix":
            held = of.source.startswith(value)
        elif key == "media_type":
            held = of.media_type == value
        else:
            held = of.metadata.get(key) == value
        if not held:
            return False
    return True


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(corpus=_DOCUMENTS, data=st.data())
def test_a_filtered_search_is_a_search_of_what_the_filter_lets_through(
    corpus: dict[str, tuple[frozenset[str], dict[str, str]]], data: st.DataObject
) -> None:
    documents = [
        document(source, f"common word {i}\nsecond common line {i}\n", groups=sorted(groups), metadata=metadata)
        for i, (source, (groups, metadata)) in enumerate(corpus.items())
    ]
    values = st.sampled_from(sorted({v for _, m in corpus.values() for v in m.values()} | {"none"}))
    sources = st.sampled_from(sorted(corpus))
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(sqlite_url(Path(folder) / "assay.db"))
        store = Store(database)
        put(store, *documents)
        index = search_index(database, Path(folder) / "index").open()
        for _ in range(5):
            where = Filter(
                data.draw(st.none() | _GROUPS),
                data.draw(
                    st.fixed_dictionaries(
                        {},
                        optional={
                            "lang": values,
                            "a=b": values,
                            "source": sources,
                            "source_prefix": sources.map(lambda s: s[: 1 + len(s) // 2]),
                            "media_type": st.sampled_from(["text/plain", "text/html"]),
                        },
                    )
                ),
            )
            expected = {p.id for d in documents if _passes(d, where) for p in store.passages_of(d.id)}
            k = data.draw(st.integers(1, 20))
            lexical = index.lexical.search("common", k=k, where=where)
            assert len(lexical) == min(k, len(expected))
            assert {i for i, _ in lexical} <= expected
            query = vector("common")
            dense = index.dense.search(query, k=k, allowed=index.allowed(where))
            scores = index.dense.scores(query, sorted(expected))
            best = sorted(scores.values(), reverse=True)[:k]
            np.testing.assert_allclose([s for _, s in dense], best, atol=1e-6)
            assert {i for i, _ in dense} <= expected
        database.close()

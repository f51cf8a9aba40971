"""The dense side finds the exact top k: against a brute-force search over what the database holds."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from assay.index.changes import Changes
from assay.index.dense import DenseIndex
from assay.index.store import Store
from assay.ledger.database import open_database, sqlite_url
from assay.ledger.lock import held
from index_corpus import DIGEST, DIMENSIONS, document, entry, put, vector


def _brute(store: Store, query: np.ndarray, k: int, allowed: np.ndarray | None) -> list[tuple[int, float]]:
    found = []
    for page in Changes(store.database).vectors(after=0, digest=DIGEST, dimensions=DIMENSIONS):
        for passage_id, number, row in zip(page.ids, page.documents, page.vectors, strict=True):
            if allowed is None or number in allowed:
                found.append((int(passage_id), float(row @ query)))
    return sorted(found, key=lambda hit: (-hit[1], hit[0]))[:k]


def _same(found: list[tuple[int, float]], expected: list[tuple[int, float]]) -> None:
    np.testing.assert_allclose([s for _, s in found], [s for _, s in expected], atol=1e-6)
    # Equal scores may differ in their last bit between two ways of summing, and then change places.
    cut = expected[-1][1] + 1e-6 if expected else 0.0
    assert {i for i, s in found if s > cut} == {i for i, s in expected if s > cut}


# Without shrinking: each example makes a database, and a smaller one would take minutes to find.
@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(
    seed=st.integers(0, 10_000),
    history=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 40), st.booleans()), min_size=1, max_size=12),
    k=st.integers(1, 30),
    share=st.floats(0, 1),
)
def test_search_is_exact_after_any_history(
    seed: int, history: list[tuple[int, int, bool]], k: int, share: float
) -> None:
    """Documents come, change and go; the index follows, is written, reopened; ties (equal lines) are many."""
    chance = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(sqlite_url(Path(folder) / "assay.db"))
        store, changes = Store(database), Changes(database)
        dense = DenseIndex(Path(folder), changes, digest=DIGEST, dimensions=DIMENSIONS, threads=1)
        for source, lines, reopen in history:
            if lines == 0:
                store.remove([f"s{source}"])
            else:
                text = "".join(f"{chance.integers(0, 60)}\n" for _ in range(lines))
                put(store, document(f"s{source}", text))
            if reopen:
                dense = DenseIndex(Path(folder), changes, digest=DIGEST, dimensions=DIMENSIONS, threads=1)
            dense.catch_up()
        query = vector(f"query {seed}")
        with database.read() as connection:
            numbers = connection.exec_driver_sql("select number from document").scalars().all()
        allowed = np.array([n for n in numbers if chance.random() < share], dtype=np.int64)
        for among in (None, allowed):
            expected = _brute(store, query, k, among)
            _same(dense.search(query, k=k, allowed=among), expected)
        everything = dict(_brute(store, query, 10_000, None))
        scores = dense.scores(query, [*everything, 999_999])
        assert scores.keys() == everything.keys()
        assert len(dense) == len(everything)
        database.close()


def test_near_ties_are_told_apart(tmp_path: Path) -> None:
    """Rows nearer to each other than bytes can tell: only re-scoring finds the true best."""
    chance = np.random.default_rng(3)
    base = chance.standard_normal(64)
    base /= np.linalg.norm(base)
    rows = base + 1e-4 * chance.standard_normal((5000, 64))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    database = open_database(sqlite_url(tmp_path / "assay.db"))
    store = Store(database)
    from index_corpus import entry

    one = entry(document("a", "".join(f"{i}\n" for i in range(len(rows)))), digest="near")
    store.keep_vectors(one.hashes, rows, digest="near")
    store.replace([one])
    dense = DenseIndex(tmp_path, Changes(database), digest="near", dimensions=64, threads=2)
    dense.catch_up()
    query = (base + 1e-3 * chance.standard_normal(64)).astype(np.float32)
    query /= np.linalg.norm(query)
    exact = rows.astype(np.float64) @ query.astype(np.float64)
    best = [float(exact[i - 1]) for i, _ in dense.search(query, k=50)]
    np.testing.assert_allclose(best, np.sort(exact)[::-1][:50], atol=2e-7)
    scales = np.abs(rows).max(axis=1, keepdims=True) / 127
    coded = (np.rint(rows / scales) * scales) @ query
    assert set(np.argsort(-coded)[:50]) != set(np.argsort(-exact)[:50]), "the test must be able to fail"
    database.close()


def test_rounding_that_conspires_against_the_best_row_does_not_hide_it(tmp_path: Path) -> None:
    """Every part of the best row is rounded down and of the others up: the whole error bound is needed."""
    chance = np.random.default_rng(5)
    query = np.r_[np.ones(64), np.zeros(64)].astype(np.float32) / 8
    rows = np.empty((400, 128))
    rows[:, 64:] = 127 * chance.choice([-1, 1], (400, 64))  # the same length for all, and a scale of one
    rows[:, :64] = chance.permuted(np.tile(np.arange(64) % 5, (400, 1)), axis=1) - 0.49
    rows[0, :64] += 2 * 0.49  # up by 62.7 in sum, and down by 40: exactly the best, by its bytes the worst
    rows[0, :40] -= 1
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    exact = rows.astype(np.float64) @ query
    assert exact.argmax() == 0
    database = open_database(sqlite_url(tmp_path / "assay.db"))
    store = Store(database)
    one = entry(document("a", "".join(f"{i}\n" for i in range(len(rows)))), digest="odd")
    store.keep_vectors(one.hashes, rows, digest="odd")
    store.replace([one])
    dense = DenseIndex(tmp_path, Changes(database), digest="odd", dimensions=128, threads=1)
    dense.catch_up()
    best = dense.search(query, k=3)
    assert best[0][0] == store.passages_of(one.document.id)[0].id
    np.testing.assert_allclose([score for _, score in best], np.sort(exact)[::-1][:3], atol=1e-6)
    database.close()


def test_much_that_is_new_goes_by_way_of_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Following 100 new rows at a limit of 10 leaves them in the snapshot, not in memory; others take it over."""
    monkeypatch.setattr("assay.index.dense._TAIL_ROWS", 10)
    database = open_database(sqlite_url(tmp_path / "assay.db"))
    store, changes = Store(database), Changes(database)

    def opened() -> DenseIndex:
        index = DenseIndex(tmp_path, changes, digest=DIGEST, dimensions=DIMENSIONS, threads=1)
        assert index.catch_up()
        return index

    def snapshots() -> list[str]:
        return sorted(path.name for path in tmp_path.rglob("*.i8"))

    put(store, document("a", "".join(f"{i}\n" for i in range(20))))
    first, second = opened(), opened()
    before = snapshots()
    put(store, document("b", "".join(f"{i}\n" for i in range(100, 200))))
    with held(tmp_path / "dense.lock") as won:
        assert won
        assert first.catch_up() is False
        assert len(first) == 20
    assert first.catch_up()
    assert snapshots() != before
    written = snapshots()
    assert second.catch_up()
    assert snapshots() == written, "what one process wrote, the other takes over"
    assert len(first) == len(second) == 120
    put(store, document("c", "few\n"))
    assert first.catch_up()
    assert snapshots() == written, "a few rows stay in memory"
    assert first.search(vector("few\n"), k=1)[0][1] > 0.999
    database.close()

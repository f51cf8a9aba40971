"""The order of a decision: a permutation that only the seed and the names decide, clusters whole."""

import subprocess
import sys
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.decisions.order import cluster_of, ordered
from assay.evals.case import Case

CASES = [Case(f"q{i}", f"What is {i}?", cluster=f"c{i % 7}" if i % 4 else "") for i in range(40)]
ORDER = ["c", "b", "a", "e", "d", "f", "\ud800"]
DIGEST = "91f587dedf5dde5d0007a6dfc8bcac51bfa08b58cf7a5b05cd6bc3ed10e31c81"


def test_an_order_is_a_permutation_with_clusters_whole() -> None:
    order = ordered(CASES, seed="s")
    assert sorted(case.id for case in order.cases) == sorted(case.id for case in CASES)
    assert order.clusters == [cluster_of(case) for case in order.cases]
    runs = [label for label, _ in groupby(order.clusters or ())]
    assert len(runs) == len(set(runs))


def test_the_seed_decides_and_the_order_of_the_file_does_not() -> None:
    order = ordered(CASES, seed="s")
    assert ordered(CASES[::-1], seed="s") == order
    assert ordered(CASES, seed="t").digest != order.digest


def test_the_order_and_its_digest_stay_what_they_are() -> None:
    """A platform or a release that orders otherwise would break every hypothesis that was hashed before."""
    order = ordered([Case(name, "?") for name in "abcdef"] + [Case("\ud800", "?")], seed="0")
    assert [case.id for case in order.cases] == ORDER
    assert order.clusters is None
    assert order.digest == DIGEST
    program = (
        "from assay.decisions.order import ordered; from assay.evals.case import Case; "
        "print(ordered([Case(name, '?') for name in 'abcdef'] + [Case('\\ud800', '?')], seed='0').digest)"
    )
    for hash_seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
            env={"PYTHONHASHSEED": hash_seed},
        )
        assert done.stdout.strip() == DIGEST


def test_cases_that_come_later_leave_the_others_in_their_order() -> None:
    before = [case.id for case in ordered(CASES, seed="s").cases]
    more = [*CASES, *(Case(f"n{i}", "?", cluster="c1" if i % 2 else "") for i in range(10))]
    after = [case.id for case in ordered(more, seed="s").cases if case.id.startswith("q")]
    assert after == before


@given(st.lists(st.sampled_from(["", "a", "b", "c", "d"]), max_size=30), st.integers(-2, 32), st.text(max_size=3))
def test_the_first_so_many_are_a_start_of_the_order_in_whole_clusters(names: list[str], most: int, seed: str) -> None:
    order = ordered([Case(f"q{i}", "?", cluster=name) for i, name in enumerate(names)], seed=seed)
    first = order.first(most)
    kept = len(first.cases)
    assert first.cases == order.cases[:kept]
    assert first.clusters == (None if order.clusters is None else order.clusters[:kept])
    assert kept <= max(0, most)
    labels = [cluster_of(case) for case in order.cases]
    assert not set(labels[:kept]) & set(labels[kept:]), "no cluster is cut in two"
    if kept < len(labels):  # as many as fit: the next cluster would be too much
        assert kept + labels.count(labels[kept]) > most
    assert first.seed == order.seed
    assert (first.digest == order.digest) == (kept == len(labels))
    assert first.first(most) == first


def test_any_place_is_as_likely_as_another() -> None:
    firsts = [ordered([Case(name, "?") for name in "abcd"], seed=str(seed)).cases[0].id for seed in range(2_000)]
    assert all(abs(firsts.count(name) - 500) < 100 for name in "abcd")  # five standard deviations


def test_two_cases_of_one_id_have_no_order() -> None:
    with pytest.raises(ValueError, match="one id"):
        ordered([Case("a", "?"), Case("a", "!")], seed="s")

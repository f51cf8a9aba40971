"""Fusion, against the formulas written out plainly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.index.fuse import Fusion, fused_each, reciprocal_rank, weighted

_RANKINGS = st.lists(st.tuples(st.integers(1, 30), st.floats(0, 50)), unique_by=lambda hit: hit[0], max_size=12).map(
    lambda hits: sorted(hits, key=lambda hit: -hit[1])
)


def test_reciprocal_rank_of_two_short_lists() -> None:
    fused = reciprocal_rank([(1, 9.0), (2, 8.0)], [(2, 0.9), (3, 0.8)], rrf_k=60)
    assert fused == [(2, 1 / 62 + 1 / 61), (1, 1 / 61), (3, 1 / 62)]


def test_weighted_of_two_short_lists() -> None:
    fused = weighted([(1, 10.0), (2, 6.0), (3, 2.0)], [(3, 0.9), (2, 0.5)], dense_weight=0.25)
    assert fused == [(1, pytest.approx(0.75)), (2, pytest.approx(0.375)), (3, pytest.approx(0.25))]


def test_one_candidate_or_equal_scores_count_in_full() -> None:
    assert weighted([(5, 3.0)], [], dense_weight=0.5) == [(5, 0.5)]
    assert weighted([(5, 3.0), (4, 3.0)], [], dense_weight=0.5) == [(4, 0.5), (5, 0.5)]
    assert weighted([], []) == reciprocal_rank([], []) == []


@given(_RANKINGS, _RANKINGS, st.integers(1, 100), st.floats(0, 1))
def test_reciprocal_rank_is_the_sum_over_ranks(
    lexical: list[tuple[int, float]], dense: list[tuple[int, float]], rrf_k: int, dense_weight: float
) -> None:
    expected: dict[int, float] = {}
    for passage_id in {hit[0] for hit in lexical + dense}:
        expected[passage_id] = sum(
            2 * weight / (rrf_k + [hit[0] for hit in ranking].index(passage_id) + 1)
            for ranking, weight in ((lexical, 1 - dense_weight), (dense, dense_weight))
            if passage_id in [hit[0] for hit in ranking]
        )
    fused = reciprocal_rank(lexical, dense, rrf_k=rrf_k, dense_weight=dense_weight)
    assert dict(fused) == pytest.approx(expected)
    assert fused == sorted(fused, key=lambda hit: (-hit[1], hit[0]))


@given(_RANKINGS, _RANKINGS, st.floats(0, 1))
def test_weighted_scores_lie_between_0_and_1(
    lexical: list[tuple[int, float]], dense: list[tuple[int, float]], dense_weight: float
) -> None:
    fused = weighted(lexical, dense, dense_weight=dense_weight)
    assert {hit[0] for hit in fused} == {hit[0] for hit in lexical + dense}
    assert all(-1e-9 <= score <= 1 + 1e-9 for _, score in fused)


_FUSIONS = st.lists(
    st.builds(Fusion, st.sampled_from(["weighted", "rrf"]), st.floats(0, 1), st.integers(1, 100)), min_size=1
)


@given(_RANKINGS, _RANKINGS, _FUSIONS)
def test_many_ways_at_once_are_each_way_alone(
    lexical: list[tuple[int, float]], dense: list[tuple[int, float]], fusions: list[Fusion]
) -> None:
    ids, scores = fused_each(lexical, dense, fusions)
    for row, way in enumerate(fusions):
        alone = (
            weighted(lexical, dense, dense_weight=way.dense_weight)
            if way.kind == "weighted"
            else reciprocal_rank(lexical, dense, rrf_k=way.rrf_k, dense_weight=way.dense_weight)
        )
        assert list(zip(ids[row].tolist(), scores[row].tolist(), strict=True)) == alone

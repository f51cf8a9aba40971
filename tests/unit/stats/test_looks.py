"""Clusters at looks: when they come, what they refuse, and what few clusters can show."""

from math import inf, nan

import pytest

from assay.stats.looks import ClusterLooks
from assay.stats.verdict import Verdict


@pytest.mark.parametrize(
    ("clusters", "looks", "counts"),
    [(24, 3, (8, 16, 24)), (10, 4, (3, 5, 8, 10)), (7, 1, (7,)), (9, (5, 9), (5, 9))],
)
def test_looks_are_declared(clusters, looks, counts) -> None:
    test = ClusterLooks(clusters=clusters, looks=looks)
    assert test.looks == counts
    assert test.next_look == counts[0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"clusters": 4}, "at least 5 are needed"),
        ({"clusters": 8, "alpha": 0.001, "beta": 0.05}, "at least 10 are needed"),
        ({"clusters": 8, "beta": 0.0}, "beta"),
        ({"clusters": 8, "looks": 0}, "1 to 8 looks"),
        ({"clusters": 8, "looks": 9}, "1 to 8 looks"),
        ({"clusters": 8, "looks": (4, 4, 8)}, "rising"),
        ({"clusters": 8, "looks": (4, 6)}, "end with all 8"),
        ({"clusters": 8, "looks": ()}, "rising"),
        ({"clusters": 8, "margin": 1.0}, "margin"),
        ({"clusters": 8, "smallest": -0.1}, "smallest"),
        ({"clusters": 8, "spending": 0}, "spending"),
        ({"clusters": 80, "draws": 10}, "sign patterns are too few"),
        ({"clusters": 8, "go_on_after": [Verdict.WORSE]}, "goes on at most"),
    ],
)
def test_settings_that_make_no_sense(options, words) -> None:
    with pytest.raises(ValueError, match=words):
        ClusterLooks(**options)


@pytest.mark.parametrize(("total", "size"), [(nan, 3), (4, 3), (-3.1, 3), (0, 0), (0, inf), (0, -1), (inf, 2)])
def test_a_cluster_that_cannot_be_is_refused_and_not_counted(total, size) -> None:
    test = ClusterLooks(clusters=6)
    with pytest.raises(ValueError, match=r"at least one case|cannot sum to"):
        test.update(total, size)
    assert test.n == 0


def test_verdicts_come_only_at_looks_and_stay_for_ever() -> None:
    test = ClusterLooks(clusters=20, looks=(10, 20))
    for _ in range(9):
        assert test.update(3, 5) is Verdict.UNDECIDED
    assert test.evidence().n == 0
    assert test.update(3, 5) is Verdict.PROMOTE
    assert (test.over, test.next_look, test.n, test.cases) == (True, None, 10, 50)
    for _ in range(30):
        assert test.update(-5, 5) is Verdict.PROMOTE
    assert test.evidence().n == 10


def test_after_the_last_look_the_verdict_is_final() -> None:
    test = ClusterLooks(clusters=6, looks=2)
    for sign in (1, -1, 1, -1, 1, -1):
        test.update(sign, 4)
    assert test.over
    for _ in range(10):
        assert test.update(4, 4) is Verdict.UNDECIDED


def test_looks_too_early_to_show_anything_say_so_and_keep_their_error() -> None:
    test = ClusterLooks(clusters=6, looks=3)
    assert "too few to show anything after 2, 4" in test.evidence().reason
    verdicts = [test.update(1, 4) for _ in range(6)]
    # All six on one side has chance 2**-6: below .05, though above a third of it.
    assert verdicts == [Verdict.UNDECIDED] * 5 + [Verdict.PROMOTE]
    assert test.evidence().p_value == pytest.approx(2**-6, abs=1e-6)


def test_clusters_in_which_nothing_happened_show_nothing() -> None:
    test = ClusterLooks(clusters=12, smallest=0.05, margin=0.05)
    for _ in range(12):
        test.update(0, 20)
    # Signs of "no difference" are all one-sided against 5 points, and no evidence: one cluster of the next
    # twelve may move by all of its questions.
    assert test.verdict is Verdict.UNDECIDED
    assert test.evidence().value == pytest.approx(0, abs=1e-6)


def test_a_state_of_another_test_is_refused() -> None:
    with pytest.raises(ValueError, match="cluster-looks"):
        ClusterLooks.from_state({"kind": "betting"})

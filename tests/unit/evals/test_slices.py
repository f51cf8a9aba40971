"""Slices by tag: enough cases only, and intervals that hold together."""

import numpy as np
import pytest

from assay.evals.columns import Columns, Row
from assay.evals.scoreboard import scoreboard
from assay.stats import mean_interval


def board(tags_of, count=200, *, score=lambda n: float(n % 3 > 0), **options):
    return scoreboard([Row(n, str(n), {"m": score(n)}, tags=tags_of(n)) for n in range(count)], **options)


def test_slices_come_lowest_first_with_an_interval_at_the_shared_level():
    found = board(lambda n: (f"t{n % 4}",), score=lambda n: float(n % 4 > 1 or n % 8 == 1)).slices
    slices = found.by_metric["m"]
    assert [one.tag for one in slices] == ["t0", "t1", "t2", "t3"]
    expected = mean_interval([1.0] * 25 + [0.0] * 25, alpha=0.05 / 4)
    assert (slices[1].low, slices[1].high, slices[1].level) == (expected.low, expected.high, 0.9875)
    assert found.looked_at == 4
    assert "4 tags looked at" in found.statement
    assert "98.75%" in found.statement
    assert "hold together with 95%" in found.statement


def test_small_tags_are_counted_and_not_shown():
    found = board(lambda n: ("big",) if n < 150 else (f"small{n % 10}",)).slices
    assert [one.tag for one in found.by_metric["m"]] == ["big"]
    assert (found.looked_at, found.too_small) == (1, 10)
    assert "10 tags with fewer than 20 cases not shown" in found.statement


def test_a_tag_every_case_has_is_no_slice():
    found = board(lambda _n: ("all",)).slices
    assert (found.by_metric, found.statement) == ({}, "")


def test_a_tag_large_enough_may_hold_too_few_cases_of_a_metric():
    rows = [Row(n, str(n), {"a": 1.0} if n < 5 else {"b": 1.0}, tags=("t",) if n < 40 else ()) for n in range(80)]
    found = scoreboard(rows).slices
    assert list(found.by_metric) == ["b"]
    assert found.by_metric["b"][0].n == 35


def test_failures_are_in_the_slices():
    rows = [Row(n, str(n), {"m": None if n < 4 else 1.0}, tags=("t",) if n < 40 else ()) for n in range(80)]
    (one,) = scoreboard(rows).slices.by_metric["m"]
    assert (one.n, one.failed, one.value, one.high) == (40, 4, 0.9, 1.0)


@pytest.mark.slow
def test_all_slices_hold_together_as_promised_and_plain_intervals_do_not():
    rng = np.random.default_rng(5)
    together, plain, runs, tags = 0, 0, 400, 12
    for _ in range(runs):
        scores = (rng.random(600) < 0.8).astype(float)
        columns = Columns(Row(n, str(n), {"m": scores[n]}, tags=(f"t{n % tags}",)) for n in range(600))
        slices = scoreboard(columns).slices.by_metric["m"]
        together += all(one.low <= 0.8 <= one.high for one in slices)
        alone = [mean_interval(scores[start::tags]) for start in range(tags)]
        plain += all(one.low <= 0.8 <= one.high for one in alone)
    assert together / runs >= 0.935
    assert plain / runs < 0.8

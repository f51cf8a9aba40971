"""The advice names what the noise was planted in."""

import math
import random
import re

import pytest

from assay.decisions.advice import advice
from assay.decisions.compare import compare
from assay.decisions.results import Scored


def answered(
    *, between: float, within: float, replicas: int = 4, cases: int = 200
) -> tuple[list[Scored], list[Scored]]:
    draw = random.Random(3)
    true = [0.5 + draw.uniform(-between, between) for _ in range(cases)]
    return (
        [Scored(f"q{i}", 0.5) for i in range(cases) for _ in range(replicas)],
        [Scored(f"q{i}", true[i] + draw.uniform(-within, within)) for i in range(cases) for _ in range(replicas)],
    )


def test_it_says_what_each_purchase_is_worth() -> None:
    said = advice(*answered(between=0.4, within=0.05))
    assert said.startswith("Most for each answer buys: questions.")
    questions, now, resamples = map(float, re.findall(r"0\.\d{4}", said))
    assert questions == pytest.approx(now / math.sqrt(2), rel=0.02)
    assert resamples == pytest.approx(now, rel=0.02), "what differs between questions no second answer to one narrows"
    _, now, resamples = map(float, re.findall(r"0\.\d{4}", advice(*answered(between=0.0, within=0.4))))
    assert resamples < 0.8 * now, "where all is noise of answers, another answer is worth nearly another question"


def test_without_repeats_nothing_is_said() -> None:
    assert advice(*answered(between=0.4, within=0.1, replicas=1)) == ""
    assert advice(*answered(between=0.4, within=0.1, cases=5)) == ""
    same = [Scored(f"q{i}", 0.5) for i in range(50) for _ in range(2)]
    assert advice(same, same) == ""


def test_clusters_are_told_apart_from_questions() -> None:
    first, second = answered(between=0.3, within=0.1)
    clustered = [[row._replace(cluster=f"c{int(row.case[1:]) // 10}") for row in side] for side in (first, second)]
    assert "questions from new clusters" in advice(*clustered)


def test_an_open_comparison_with_repeats_says_it() -> None:
    first, second = answered(between=0.4, within=0.1)
    found = compare(first, second)
    assert found.verdict == "UNDECIDED"
    assert any(note.startswith("Most for each answer buys") for note in found.notes)
    better = [row._replace(score=(row.score or 0) + 0.4) for row in second]
    assert not any(note.startswith("Most for each answer buys") for note in compare(first, better).notes)

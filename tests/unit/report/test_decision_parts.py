"""The parts of the decision pages: the conditions read as the rule does, limits beside their lines, the plot."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.app.report.conditions import quality_conditions, verdict_of
from assay.app.report.evidence_plot import evidence_plot
from assay.app.report.text import inert
from assay.app.report.verdict_parts import points
from assay.decisions.hypothesis import Hypothesis, Margins, Named, Objective
from assay.decisions.rules import read_verdict

SHARES = st.floats(-1, 1, allow_nan=False)
SMALL = st.floats(0.001, 0.5)


# ---- the verdict ------------------------------------------------------------------------------


@given(SHARES, SHARES, SMALL, SMALL, st.sampled_from(["better", "not_worse"]))
def test_the_first_condition_shown_is_the_verdict(
    one: float, two: float, margin: float, smallest: float, objective: Objective
) -> None:
    low, high, margins = min(one, two), max(one, two), Margins(margin, smallest)
    conditions = quality_conditions(low, high, margins, objective)
    assert verdict_of(conditions) == read_verdict(low, high, margins, objective)


@given(SHARES, SMALL)
def test_a_limit_never_reads_as_the_line_it_is_beside(value: float, line: float) -> None:
    for beside in (0.0, line):
        if abs(value - beside) > 1e-6 and abs(value) > 1e-6:
            assert float(points(value, beside=beside).replace("−", "-")) != 100 * beside


def test_points_are_signed_and_a_rounding_error_is_zero() -> None:
    assert points(0.0512) == "+5.1"
    assert points(-0.0004) == "−0.04"
    assert points(-1.2e-16) == "0.0"
    assert points(None) == points(float("inf")) == "no limit"


# ---- the plot ---------------------------------------------------------------------------------


def hypothesis(**changed: Any) -> Hypothesis:
    made = Hypothesis(
        set_name="s", season=1, set_digest="d", order_digest="o", items=100, clusters=None, metric="exact_match",
        incumbent=Named("a", None), candidate=Named("b", None), scorers=(), objective="better", rule="exact-horizon",
        alpha=0.025, beta=0.05, margins=Margins(), horizon=20,
    )  # fmt: skip
    return replace(made, **changed)


def step(items: int, low: float | None, high: float | None) -> dict[str, Any]:
    return {"items": items, "units": items, "wins": 1, "losses": 0, "raw": 0.1, "low": low, "high": high}


@pytest.mark.parametrize(
    "steps",
    [
        [step(1, -1.0, 1.0)],
        [step(1, None, None), step(2, -0.5, 0.5)],
        [step(5, 0.0, 0.0), step(100, 0.0, 0.0)],
        [step(n, -1 / n, 1 / n) for n in range(1, 101)],
    ],
)
@pytest.mark.parametrize("is_running", [False, True])
def test_every_mark_of_the_plot_lies_inside_it(steps: list[dict[str, Any]], is_running: bool) -> None:
    outcome = {"steps": steps, "running": is_running, "difference": {"value": 0.1, "low": -0.1, "high": 0.2}}
    drawn = str(evidence_plot(outcome, hypothesis(), looks={}))
    assert "nan" not in drawn
    assert "inf" not in drawn.replace("information", "")
    for share in re.findall(r'(?:x1|cx|x)="([\d.-]+)%"', drawn):
        assert 0 <= float(share) <= 100
    for y in re.findall(r'(?:y1|y2|cy)="([\d.-]+)"', drawn):
        assert 0 <= float(y) <= 260
    assert 'role="img"' in drawn
    assert "Mean difference after" in drawn


def test_before_the_first_step_there_is_no_plot() -> None:
    assert "No question" in evidence_plot({}, hypothesis(), looks={})


def test_terminal_sequences_are_removed() -> None:
    assert inert("a\x1b[31;1mred\x1b[0m b\x1b]0;title\x07c\x1bMd\x1b") == "ared bcd\N{REPLACEMENT CHARACTER}"

"""One verdict over quality, cost and latency: each must hold at its own level, so together they err no more often.

Promoting needs every part to be shown (an intersection-union test: Berger 1982, Technometrics 24:295): the chance to
promote what fails any one of them is at most the level of that one, however the parts hang together. Invariant: a part
whose margin is stated and not shown can hold a promotion back and never cause one.
Proved by simulation in `tests/oracles/test_joint_error.py`.
"""

from dataclasses import dataclass

from assay.decisions.compare import FEWEST_BOOTSTRAPPED, FEWEST_CLUSTERS
from assay.decisions.comparison import Change
from assay.decisions.hypothesis import Hypothesis, Margins, Objective
from assay.stats.interval import Interval
from assay.stats.verdict import Verdict

CHEAPER = 1.0
"""The cost ratio that a candidate which is only not worse must be shown to stay below."""


@dataclass(frozen=True, slots=True)
class Joint:
    """`verdict` is the whole one, `quality` that of the score alone; `reasons` say what held it back or carried it."""

    verdict: Verdict
    quality: Verdict
    promotable: bool
    reasons: tuple[str, ...]


def joint(
    quality: Verdict, *, cost: Change | None, latency: Change | None, margins: Margins, objective: Objective
) -> Joint:
    """Join the verdict on quality with what is known of cost and latency.

    For `better`: PROMOTE stands if every stated margin is shown to hold; where one is shown to be broken the verdict is
    NOT_BETTER, where one is open UNDECIDED. For `not_worse`: PROMOTE or NOT_WORSE, and promotable where the candidate
    is shown to be cheaper (below `margins.cost_ratio`, by default below the incumbent's cost) within the margins.
    """
    cost_margin = margins.cost_ratio
    if objective == "not_worse" and cost_margin is None and quality is Verdict.NOT_WORSE:
        cost_margin = CHEAPER
    parts = [
        _part("cost an answer", None if cost is None else cost.ratio, cost_margin),
        _part("p95 latency", None if latency is None else latency.ratio, margins.latency_ratio),
    ]
    reasons = tuple(part.reason for part in parts if part.reason)
    wanted = quality is Verdict.PROMOTE or (objective == "not_worse" and quality is Verdict.NOT_WORSE)
    if not wanted:
        return Joint(quality, quality, False, reasons)
    if all(part.holds for part in parts):
        return Joint(quality, quality, True, reasons)
    if objective == "not_worse":
        return Joint(quality, quality, False, reasons)
    broken = any(part.is_broken for part in parts)
    return Joint(Verdict.NOT_BETTER if broken else Verdict.UNDECIDED, quality, False, reasons)


def fewest_for_ratios(hypothesis: Hypothesis) -> int:
    """Questions to ask at least where quality is shown: what judged ratios of cost and latency need, else 0."""
    margins = hypothesis.margins
    judged = margins.cost_ratio is not None or margins.latency_ratio is not None
    return FEWEST_BOOTSTRAPPED if judged or hypothesis.objective == "not_worse" else 0


def unshowable(hypothesis: Hypothesis) -> str:
    """Why stated margins on cost or latency can never be met on these questions; empty where they can."""
    margins = hypothesis.margins
    stated = [name for name in ("cost_ratio", "latency_ratio") if getattr(margins, name) is not None]
    is_cheaper = hypothesis.objective == "not_worse" and margins.cost_ratio is None
    if not stated and not is_cheaper:
        return ""
    few = []
    if hypothesis.items < FEWEST_BOOTSTRAPPED:
        few.append(f"{hypothesis.items:,} questions (at least {FEWEST_BOOTSTRAPPED} are needed)")
    if hypothesis.clusters is not None and hypothesis.clusters < FEWEST_CLUSTERS:
        few.append(f"{hypothesis.clusters:,} clusters (at least {FEWEST_CLUSTERS} are needed)")
    if not few:
        return ""
    what = f"decisions.{' and decisions.'.join(stated)} cannot be met" if stated else "it cannot be shown to be cheaper"
    ends = "it is never promoted" if stated else "being not worse alone never promotes it"
    return f"no ratio of cost or latency is known on {' in '.join(few)}, so {what} and {ends}"


@dataclass(frozen=True, slots=True)
class _Part:
    holds: bool
    is_broken: bool
    reason: str


def _part(name: str, ratio: Interval | None, margin: float | None) -> _Part:
    if margin is None:
        return _Part(True, False, "")
    if ratio is None:
        return _Part(False, False, f"{name}: not known well enough to hold it against the margin of {margin:g}x")
    shown = f"{name}: {ratio.value:.2f}x ({ratio.low:.2f} to {ratio.high:.2f})"
    if ratio.high <= margin:
        return _Part(True, False, f"{shown}, within {margin:g}x")
    if ratio.low > margin:
        return _Part(False, True, f"{shown}, above the margin of {margin:g}x")
    return _Part(False, False, f"{shown}, not shown to be within {margin:g}x")

"""What a try will take and what it can show, said before anything is paid for.

Invariant: every chance is at the alpha that is left for this decision and for the rule it declares, computed from the
rule itself; what has to be assumed (how often the two differ, how much scores spread) is said beside it.
Proved by `tests/story/test_try.py`.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from assay.decisions.chances import Chance, assumptions, chances
from assay.decisions.hypothesis import Hypothesis
from assay.decisions.joint import unshowable
from assay.evals.plan import Plan
from assay.evals.timing import Range


@dataclass(frozen=True, slots=True)
class Forecast:
    """`plans` are the two systems' (all questions); `chances` say by true gain how often and how soon it promotes.

    `cost_usd` is (expected, all questions) of both systems, None where a price is unknown.
    """

    hypothesis: Hypothesis
    plans: tuple[Plan, ...]
    chances: tuple[Chance, ...]
    cost_usd: tuple[float, float] | None
    seconds: tuple[float, float] | None
    dev_questions: int = 0

    def as_json(self) -> dict[str, Any]:
        """As `assay try --plan --json` gives it."""
        hypothesis = self.hypothesis
        return {
            "hypothesis": hypothesis.as_json(),
            "alpha": hypothesis.alpha,
            "questions": hypothesis.items,
            "clusters": hypothesis.clusters,
            "rule": hypothesis.rule,
            "assumed": assumptions(hypothesis),
            "chances": [asdict(chance) for chance in self.chances],
            "cost_usd": self.cost_usd and {"expected": self.cost_usd[0], "most": self.cost_usd[1]},
            "seconds": self.seconds and {"expected": self.seconds[0], "most": self.seconds[1]},
            "dev_questions": self.dev_questions,
            "warning": unshowable(hypothesis),
            "plans": [plan.as_json() for plan in self.plans],
        }

    def lines(self) -> list[str]:
        """The same in words."""
        hypothesis, margins = self.hypothesis, self.hypothesis.margins
        clusters = f" in {hypothesis.clusters:,} clusters" if hypothesis.clusters is not None else ""
        lines = [
            f"incumbent  {hypothesis.incumbent.name}",
            f"candidate  {hypothesis.candidate.name}",
            f"decide on  {hypothesis.metric}, up to {hypothesis.items:,} questions{clusters} of {hypothesis.set_name} "
            f"(season {hypothesis.season})",
            f"rule       {hypothesis.rule}, alpha {hypothesis.alpha:.3g} of the set's evidence budget; matters from "
            f"{100 * margins.smallest:g} points, not worse within {100 * margins.margin:g}",
        ]
        lines += [f"           {chance.sentence()}" for chance in self.chances]
        lines.append(f"           assumed: {assumptions(hypothesis)}")
        if why := unshowable(hypothesis):
            lines.append(f"warning    {why}")
        lines += self._calls()
        return lines

    def _calls(self) -> list[str]:
        asked = sum(plan.fresh for plan in self.plans)
        kept = sum(plan.finished + plan.cached for plan in self.plans)
        lines = [f"questions  at most {asked:,} to ask of both systems, {kept:,} known from before"]
        if self.dev_questions:
            lines[0] += f"; then {self.dev_questions:,} dev questions of each, to read"
        if self.cost_usd is not None:
            lines.append(f"cost       about ${self.cost_usd[0]:.4f}, at most ${self.cost_usd[1]:.4f}")
        else:
            lines.append("cost       not known: a model has no known price, or a system declares none")
        if self.seconds is not None:
            lines.append(f"time       about {_time(self.seconds[0])}, at most {_time(self.seconds[1])}")
        return lines


def forecast(hypothesis: Hypothesis, plans: Sequence[Plan], *, dev_questions: int = 0) -> Forecast:
    """What `hypothesis` will take, from the plans of both systems over all its questions.

    `dev_questions` are asked of both after a verdict.
    """
    found = chances(hypothesis)
    # A candidate of unknown worth: the questions expected where it gains what matters.
    share = next((chance.expected_items for chance in found if chance.gain > 0), hypothesis.items) / hypothesis.items
    costs = [plan.cost_usd for plan in plans]
    known = [cost for cost in costs if cost is not None]
    unpriced = any(plan.unpriced for plan in plans) or len(known) < len(costs)
    seconds = [plan.seconds for plan in plans if plan.seconds is not None]
    return Forecast(
        hypothesis=hypothesis,
        plans=tuple(plans),
        chances=found,
        cost_usd=None if unpriced else _spread(known, share, more=dev_questions / hypothesis.items),
        seconds=(
            _spread(seconds, share, more=dev_questions / hypothesis.items) if len(seconds) == len(plans) else None
        ),
        dev_questions=dev_questions,
    )


def _spread(ranges: Sequence[Range], share: float, *, more: float) -> tuple[float, float]:
    expected, most = sum(found.expected for found in ranges), sum(found.high for found in ranges)
    return (share + more) * expected, (1 + more) * float(most)


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"

"""Decisions read back: the evidence folded again from the results in the ledger, to be checked by whoever doubts it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from assay.decisions.fold import CANDIDATE, INCUMBENT, Fold, Side, fold_of
from assay.decisions.order import ordered
from assay.decisions.register import Decision
from assay.decisions.trial import score_of
from assay.errors import BadInput, Corrupt, NotFound
from assay.evals.case import Case
from assay.evals.cases import CaseStore
from assay.evals.result import Result
from assay.evals.runs import Runs


class Kept(Protocol):
    """Where the cases and results of decisions are kept: `Measuring` for commands, `Archive` for pages."""

    @property
    def runs(self) -> Runs: ...

    @property
    def cases(self) -> CaseStore: ...


@dataclass(frozen=True, slots=True)
class Replayed:
    """A decision folded again: the evidence, the cases in their order, and each side's results by ordinal."""

    decision: Decision
    fold: Fold
    cases: list[Case]
    results: Mapping[Side, Mapping[int, Result]]

    @property
    def verdict(self) -> str:
        """The verdict on quality that the results give now."""
        return str(self.fold.rule.evidence().verdict)


def replay(kept: Kept, decision: Decision) -> Replayed:
    """Fold the results of a decision again. Raises NotFound where it has none yet, Corrupt where the order differs."""
    hypothesis = decision.hypothesis
    if decision.incumbent_run is None or decision.candidate_run is None:
        raise NotFound(f"Decision {decision.id[:8]} has no results yet.", hint="Run the same `assay try` again.")
    ordering = ordered(kept.cases.load(hypothesis.set_digest), seed=str(decision.details["seed"]))
    if ordering.digest != hypothesis.order_digest:
        raise Corrupt(f"The order of decision {decision.id[:8]} is not the one that was hashed.")
    fold = fold_of(hypothesis, ordering.clusters)
    results: dict[Side, dict[int, Result]] = {}
    sides: tuple[tuple[Side, str], ...] = ((INCUMBENT, decision.incumbent_run), (CANDIDATE, decision.candidate_run))
    for side, run_id in sides:
        results[side] = {}
        for result in kept.runs.results(run_id):
            results[side].setdefault(result.ordinal, result)
            score, failed = score_of(result, hypothesis.metric)
            fold.add(side, result.ordinal, score, failed=failed)
    if decision.status == "done":
        fold.finish()
    return Replayed(decision, fold, ordering.cases, results)


def checked_shape(replayed: Replayed) -> dict[str, Any]:
    """What a second fold of the same results says, beside what was written down when it was decided."""
    decision, outcome = replayed.decision, replayed.decision.outcome or {}
    if decision.status != "done":
        raise BadInput(
            f"Decision {decision.id[:8]} is not finished ({decision.status}): no verdict was written down.",
            hint="Finish it first: run the same `assay try` again.",
        )
    # Labels replace the verdict on quality; the results gave the one that was there before.
    written = outcome.get("judged_quality") or outcome.get("quality")
    return {
        "decision_id": replayed.decision.id,
        "written": written,
        "replayed": replayed.verdict,
        "agrees": written == replayed.verdict,
        "wins": replayed.fold.wins,
        "losses": replayed.fold.losses,
        "n": replayed.fold.counted,
    }

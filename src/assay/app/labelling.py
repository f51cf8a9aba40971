"""Labels of a decision put together: the folded questions with both answers, and what the verdict becomes."""

import asyncio
from typing import Any

from assay.app.deciding import Kept, Replayed, replay
from assay.decisions.fold import CANDIDATE, INCUMBENT
from assay.decisions.labels import Judged, LabelledVerdict, Labels
from assay.decisions.order import cluster_of
from assay.decisions.register import Decision, Register
from assay.errors import BadInput
from assay.evals.result import Result
from assay.stats.verdict import Verdict

WANTED = 100
"""Labels asked for where nobody says how many."""


class Labelling:
    """The labels of one finished decision. Its methods block: call them in a thread."""

    def __init__(self, kept: Kept, decision: Decision, *, wanted: int | None = None, declares: bool = True) -> None:
        if decision.status != "done" or decision.outcome is None:
            raise BadInput(
                f"Decision {decision.id[:8]} is not finished ({decision.status}).",
                hint="Finish it first: run the same `assay try` again.",
            )
        self.decision = decision
        self._register = Register(kept.runs.database)
        declared = decision.details.get("labels_wanted")
        if wanted is not None and declared is not None and wanted != declared:
            raise BadInput(
                f"{declared} labels were declared for this decision; changing that after labels were seen bends them.",
                hint="Leave the number out to go on with what was declared.",
            )
        self.labels = Labels(
            kept.runs.database,
            decision.id,
            judged_items(replay(kept, decision)),
            wanted=declared or wanted or WANTED,
        )
        if self.labels.wanted == 0:
            raise BadInput(
                f"Both systems of decision {decision.id[:8]} gave the same answers: there is nothing to label.",
                hint="Label a decision between systems that answer differently.",
            )
        if declared is None and declares:
            self._register.update(decision.id, details={**decision.details, "labels_wanted": self.labels.wanted})

    def verdict(self) -> LabelledVerdict:
        """What the labels so far say together with the judge's test."""
        hypothesis, outcome = self.decision.hypothesis, self.decision.outcome or {}
        judge = Verdict(outcome.get("judged_quality") or outcome["quality"])
        return self.labels.verdict(
            judge, alpha=hypothesis.alpha, margins=hypothesis.margins, objective=hypothesis.objective
        )

    def settle(self) -> Decision:
        """Write the labelled verdict down where all labels are there; the decision as it stands."""
        found = self.verdict()
        outcome = dict(self.decision.outcome or {})
        outcome["labels"] = labelled_shape(found)
        if not found.is_complete:
            self._register.update(self.decision.id, outcome=outcome)
            return self._register.get(self.decision.id)
        outcome.setdefault("judged_quality", outcome["quality"])
        outcome.setdefault("judged_difference", outcome["difference"])
        outcome.setdefault("judged_verdict", outcome["verdict"])
        interval = found.interval
        outcome["difference"] = {
            "value": interval.value,
            "low": interval.low,
            "high": interval.high,
            "raw": interval.value,
            "method": interval.method,
        }
        verdict = found.verdict
        if verdict is Verdict.PROMOTE and outcome["judged_verdict"] != "PROMOTE":
            verdict = Verdict(outcome["judged_verdict"])  # cost or latency held it back: labels say nothing of them
        outcome["verdict"], outcome["quality"] = str(verdict), str(found.verdict)
        outcome["promotable"] = bool(outcome.get("promotable")) and verdict in (Verdict.PROMOTE, Verdict.NOT_WORSE)
        outcome["support"] = "HUMAN-CALIBRATED"
        outcome["sentence"] = labelled_sentence(found)
        self._register.update(self.decision.id, outcome=outcome, verdict=str(verdict), support="HUMAN-CALIBRATED")
        self.decision = self._register.get(self.decision.id)
        return self.decision


async def labelling(
    kept: Kept, decision_id: str | None, *, wanted: int | None = None, declares: bool = True
) -> Labelling:
    """The labels of a decision, by default of the newest finished one."""

    def opened() -> Labelling:
        register = Register(kept.runs.database)
        if decision_id is not None:
            return Labelling(kept, register.get(decision_id), wanted=wanted, declares=declares)
        finished = [found for found in register.list() if found.status == "done"]
        if not finished:
            raise BadInput("There is no finished decision to label.", hint="Decide something first: assay try.")
        return Labelling(kept, finished[0], wanted=wanted, declares=declares)

    return await asyncio.to_thread(opened)


def judged_items(replayed: Replayed) -> list[Judged]:
    """The folded questions that count, with both answers."""
    found = []
    for item in replayed.fold.folded:
        if not item.counted:
            continue
        case = replayed.cases[item.ordinal]
        incumbent, candidate = replayed.results[INCUMBENT], replayed.results[CANDIDATE]
        cluster = cluster_of(case) if replayed.decision.hypothesis.clusters is not None else None
        found.append(
            Judged(
                ordinal=item.ordinal,
                case_id=case.id,
                question=case.question,
                incumbent=answer_of(incumbent.get(item.ordinal)),
                candidate=answer_of(candidate.get(item.ordinal)),
                difference=item.difference,
                cluster=cluster,
                references=tuple(case.answers),
            )
        )
    return found


def answer_of(result: Result | None) -> str:
    """What a person sees of a result: the answer, that it declined, or that it failed."""
    if result is None or result.output is None:
        return "(no answer: the system failed)"
    output = result.output
    if output.declined:
        return f"(declined) {output.text}".strip()
    if not output.text and output.passages:
        return "\n\n".join(passage.text for passage in output.passages[:3])
    return output.text


def labelled_shape(found: LabelledVerdict) -> dict[str, Any]:
    """What the labels say, as JSON."""
    # Who sees how it stands labels otherwise: nothing but the count is told before all labels are there.
    if not found.is_complete:
        return {"labels": found.labels, "wanted": found.wanted, "complete": False, "verdict": "UNDECIDED"}
    return {
        "labels": found.labels,
        "wanted": found.wanted,
        "complete": True,
        "verdict": str(found.verdict),
        "value": found.interval.value,
        "low": found.interval.low,
        "high": found.interval.high,
        "method": found.interval.method,
        "reason": found.interval.reason,
        "effective_labels": found.interval.effective,
        "judge_mean": found.judge_mean,
        "agreement": found.agreement,
    }


def labelled_sentence(found: LabelledVerdict) -> str:
    """What the labels say, in words."""
    interval = found.interval
    size = f"{100 * interval.value:+.1f} points ({100 * interval.low:+.1f} to {100 * interval.high:+.1f})"
    judge = f"the judge said {100 * found.judge_mean:+.1f}"
    gain = f", worth {interval.effective:.0f} without a judge" if interval.effective > found.labels else ""
    if not found.is_complete:
        return f"{found.labels} of {found.wanted} labels. What they say is told when all are there."
    return f"By {found.labels} labels of a person{gain}: {size}; {judge}."

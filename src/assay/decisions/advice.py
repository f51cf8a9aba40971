"""What to buy against the noise of a comparison that is open: more questions, or more answers to each.

Only repeats can tell the two apart: without answers given twice there is nothing to advise, and nothing is said. Proved
by planted noise in `tests/unit/decisions/test_advice.py`.
"""

from collections import defaultdict
from collections.abc import Sequence

from assay.decisions.results import Scored
from assay.stats.variance import advise, variance_components

_FEWEST_QUESTIONS = 10


def advice(incumbent: Sequence[Scored], candidate: Sequence[Scored]) -> str:
    """What buys most precision for each answer, in a sentence; empty where no case was answered twice by both.

    The repeats of a case are paired in their order. A score that failed counts as 0.
    """
    before, after, clusters = _by_case(incumbent), _by_case(candidate), _clusters((*incumbent, *candidate))
    differences: list[float] = []
    questions: list[str] = []
    resamples: list[int] = []
    for case in before.keys() & after.keys():
        for number, (first, second) in enumerate(zip(before[case], after[case], strict=False)):
            differences.append(second - first)
            questions.append(case)
            resamples.append(number)
    asked = len(set(questions))
    if asked < _FEWEST_QUESTIONS or len(questions) == asked:
        return ""
    labels = [clusters.get(case, f"\0{case}") for case in questions] if clusters else None
    found = advise(variance_components(differences, questions=questions, clusters=labels, resamples=resamples))
    best, *others = found.purchases
    if best.gain <= 0:
        return ""
    rest = "; ".join(f"twice the {other.what}: {other.standard_error:.4f}" for other in others)
    words = (
        f"Most for each answer buys: {best.what}. Twice as many would make the standard error "
        f"{best.standard_error:.4f} instead of {found.standard_error:.4f}"
    )
    return f"{words} ({rest})." if rest else f"{words}."


def _by_case(scored: Sequence[Scored]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    for row in scored:
        found[row.case].append(row.score or 0.0)
    return found


def _clusters(scored: Sequence[Scored]) -> dict[str, str]:
    return {row.case: row.cluster for row in scored if row.cluster is not None}

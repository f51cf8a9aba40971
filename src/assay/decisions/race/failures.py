"""What went wrong on dev questions, as a model that improves a prompt is shown it.

A prompt is no cause of a call that failed or of a judge that gave no score: those are not here. Invariant: nothing but
the cases given is shown, and the same results give the same failures in the same order. Proved by
`tests/unit/decisions/race/test_failures.py`.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from assay.evals.case import Case
from assay.evals.normalised import normalised
from assay.evals.output import Output
from assay.evals.result import Result
from assay.evals.scorer import Score

OR = " or: "
"""Between reference answers of which one suffices."""

_LOW = 0.5
_MOST_LOW = 3


@dataclass(frozen=True, slots=True)
class Failure:
    """A question that was not answered as it should be. `score` is in [0, 1); `expected` and `feedback` may be empty.

    All texts are untrusted: they come from documents, users and models.
    """

    case_id: str
    question: str
    answer: str
    expected: str
    score: float
    feedback: str = ""


def failures_of(results: Sequence[Result], cases: Collection[Case], metric: str, *, most: int) -> list[Failure]:
    """The `most` worst answers by `metric`, one a case; equally bad ones in an order that has nothing to do with ids.

    `cases` are the dev cases: a result of any other raises ValueError, so that no question a decision needs is seen.
    """
    known = {case.id: case for case in cases}
    strangers = sorted({result.case_id for result in results} - set(known))
    if strangers:
        raise ValueError(f"{len(strangers)} results are of no dev case, the first of {strangers[0]!r}")
    worst: dict[str, tuple[float, int, Failure]] = {}
    for result in results:
        score = result.scores.get(metric)
        if result.output is None or score is None or score.value is None or score.value >= 1:
            continue
        before = worst.get(result.case_id)
        if before is None or (score.value, result.replica) < before[:2]:
            failure = _failure(known[result.case_id], result, result.output, metric, score.value)
            worst[result.case_id] = (score.value, result.replica, failure)
    found = [failure for _, _, failure in worst.values()]
    # Questions about one document have ids in a row, and often fail for one reason: the order is by a hash.
    return sorted(found, key=lambda failure: (failure.score, _drawn(failure.case_id), failure.case_id))[: max(0, most)]


def _failure(case: Case, result: Result, output: Output, metric: str, score: float) -> Failure:
    return Failure(
        case_id=case.id,
        question=case.question,
        answer=f"(declined) {output.text}".strip() if output.declined else output.text or "(nothing)",
        expected=_expected(case),
        score=score,
        feedback=" ".join(_feedback(case, result, output, metric)),
    )


def _expected(case: Case) -> str:
    if not case.answerable:
        return "To decline: the documents do not hold the answer."
    if case.answers:
        return OR.join(dict.fromkeys(case.answers))
    return "\n".join(dict.fromkeys(piece.quote for piece in case.evidence if piece.quote))


def _feedback(case: Case, result: Result, output: Output, metric: str) -> Iterator[str]:
    score = result.scores[metric]
    yield f"{metric} is {score.value:.2f}."
    if output.declined and case.answerable:
        yield "It declined, and the documents hold an answer."
    if not output.declined and not case.answerable:
        yield "It answered, and should have declined."
    if score.reasoning:
        yield score.reasoning
    if _was_not_shown(case, output):
        yield "No passage it was shown holds the expected answer."
    low = sorted(_low(result.scores, metric))[:_MOST_LOW]
    if low:
        yield f"Also low: {', '.join(low)}."


def _low(scores: Mapping[str, Score], metric: str) -> Iterator[str]:
    for name, score in scores.items():
        if name != metric and score.value is not None and score.value < _LOW:
            yield f"{name} {score.value:.2f}"


def _was_not_shown(case: Case, output: Output) -> bool:
    """True where the passages are known and none of them holds a reference answer."""
    if not case.answers or not output.passages:
        return False
    shown = [normalised(passage.text).lower() for passage in output.passages]
    return not any(normalised(answer).lower() in text for answer in case.answers for text in shown)


def _drawn(case_id: str) -> str:
    return hashlib.sha256(case_id.encode(errors="surrogatepass")).hexdigest()

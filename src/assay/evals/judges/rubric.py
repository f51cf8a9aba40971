"""A rubric: levels in words, the judge names one and says why first. With a reference answer, or without.

    Rubric(model, criterion="Is the answer right?", levels=CORRECTNESS, needs_reference=True)

A level is worth what its author says, not what a model feels: the judge picks a number, the score is the level's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from assay.evals.case import Case
from assay.evals.judges.judge import TEXT, Judge, failed, object_of
from assay.evals.judges.prompts import LEVEL
from assay.evals.judges.ragas import is_answer, passages_of, reference_of
from assay.evals.judges.reply import Unusable, form_in, one_line
from assay.evals.output import Output
from assay.evals.scorer import Gold, Instrument, Score
from assay.evals.timing import Work
from assay.models.chat import ChatModel, Completion

_MAX_TOKENS = 384


@dataclass(frozen=True, slots=True)
class Level:
    """A level of a rubric: its score in [0, 1] and the words a judge chooses it by."""

    score: float
    words: str


CORRECTNESS = (
    Level(0.0, "Wrong, or does not answer the question: what it claims disagrees with the reference answer."),
    Level(0.5, "Partly right: something the reference answer holds is missing or wrong, but not the main point."),
    Level(1.0, "Right: it says what the reference answer says, in whatever words, and nothing that contradicts it."),
)
"""Right or wrong against a reference answer."""

GROUNDEDNESS = (
    Level(0.0, "Rests on something the passages do not say, or contradicts them."),
    Level(0.5, "The main point is in the passages, but a detail is not."),
    Level(1.0, "Everything it claims is in the passages."),
)
"""Whether an answer stays within its passages: needs no reference answer."""


class _Reply(BaseModel):
    reason: str
    level: int


class Rubric:
    """Scores an answer by the level the judge names. One call a case.

    `metric` names it in scoreboards where several rubrics run side by side. Raises `ValueError` for a rubric that is
    none: fewer than two levels, a score outside [0, 1].
    """

    expected_calls = (1.0, 2.0)

    def __init__(
        self,
        model: ChatModel,
        *,
        criterion: str = "Is the answer right, going by the reference answer?",
        levels: Sequence[Level] = CORRECTNESS,
        needs_reference: bool = True,
        shows_passages: bool = False,
        metric: str = "rubric",
        attempts: int = 2,
    ) -> None:
        if len(levels) < 2 or any(not 0 <= level.score <= 1 for level in levels):
            raise ValueError("a rubric needs two levels or more, each with a score between 0 and 1")
        self._judge, self._levels = Judge(model, attempts), tuple(levels)
        self._needs_reference, self._shows_passages = needs_reference, shows_passages
        self.expected_work = Work(read=(120, 600), write=(20, 60), passages=float(shows_passages))
        words = numbered_levels(levels)
        self._instructions = LEVEL.text.format(criterion=criterion.strip(), levels=words)
        self._metric = metric
        self.metrics = (metric,)
        self.judge: Instrument | None = self._judge.instrument(metric, LEVEL)
        self.digest = self._judge.digest(
            "rubric/1",
            LEVEL,
            metric=metric,
            instructions=self._instructions,
            scores=[level.score for level in levels],
            needs_reference=needs_reference,
            shows_passages=shows_passages,
        )

    async def score(self, case: Case, output: Output, gold: tuple[Gold, ...]) -> Mapping[str, Score]:
        """Absent for refusals and empty answers, and where a reference or passages are needed and there are none."""
        reference, passages = reference_of(case), passages_of(output)
        if not is_answer(output) or (self._needs_reference and not reference):
            return {}
        if self._shows_passages and not passages:
            return {}
        parts = [("passage", text) for text in passages] if self._shows_passages else []
        parts.append(("question", case.question))
        if self._needs_reference:
            parts.append(("reference", reference))
        try:
            reply = await self._judge.ask(
                self._instructions,
                [*parts, ("answer", output.text)],
                schema=object_of(reason=TEXT, level={"type": "integer", "enum": [*range(1, len(self._levels) + 1)]}),
                read=self._read,
                max_tokens=_MAX_TOKENS,
            )
        except Unusable as unusable:
            return {self._metric: failed(unusable)}
        level = self._levels[reply.level - 1]
        details = {"level": reply.level, "words": level.words}
        return {self._metric: Score(level.score, reasoning=one_line(reply.reason, most=2_000), details=details)}

    def _read(self, completion: Completion) -> _Reply:
        reply = form_in(completion.text, _Reply)
        if not 1 <= reply.level <= len(self._levels):
            raise Unusable(f"The judge named level {reply.level} of {len(self._levels)}.")
        return reply


def numbered_levels(levels: Sequence[Level]) -> str:
    """Levels as the judge sees them, numbered from 1."""
    return "\n".join(f"{i}. {' '.join(level.words.split())}" for i, level in enumerate(levels, start=1))

"""Which of two answers is better, asked in both orders: a verdict that changes with the order is a tie.

Judges favour a place (GPT-4 agrees with itself in 65% of pairs when the order is swapped: Zheng et al. 2023, arXiv
2306.05685, section 4.3), so one order alone measures the place as much as the answer. The judge sees "first" and
"second" and nothing of who wrote them. `judges.check` reports the place it favours and how often.

As a metric of an evaluation (`Against`) the other answer is an earlier run's or the case's reference. Proved by
`tests/unit/evals/judges/test_pairwise.py` and `tests/story/test_eval_pairwise.py`.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import BaseModel

from assay.evals.case import Case
from assay.evals.judges.judge import TEXT, Judge, joined, object_of
from assay.evals.judges.opponent import Opponent, Rival
from assay.evals.judges.prompts import BETTER
from assay.evals.judges.ragas import is_answer, reference_of
from assay.evals.judges.reply import Unusable, form_in
from assay.evals.output import Output
from assay.evals.scorer import ORDERS_AGREE, Gold, Instrument, Score
from assay.evals.timing import Work
from assay.gateway.replica import replica
from assay.models.chat import ChatModel

_MAX_TOKENS = 384
_SHOWN_CHARACTERS = 2_000
_WORTH = {"first": 1.0, "second": 0.0, "tie": 0.5}


class _Reply(BaseModel):
    reason: str
    better: Literal["first", "second", "tie"]


@dataclass(frozen=True, slots=True)
class Preference:
    """How far answer A is preferred to answer B: 1, 0, or 0.5 for a tie; None where the judge failed (`error`).

    `forward` and `backward` are the verdicts with A shown first and with B shown first, both in terms of A. They
    disagree where the judge followed the place: then `value` is 0.5. `asked` is False where no judge was needed.
    """

    value: float | None
    forward: float | None = None
    backward: float | None = None
    reasoning: str = ""
    error: str = ""
    asked: bool = True

    @property
    def is_consistent(self) -> bool:
        """Whether both orders gave the same verdict."""
        return self.forward is not None and self.forward == self.backward

    def as_score(self) -> Score:
        """The score of A against B; whether the orders agree is said only where the judge was asked in both."""
        details: dict[str, Any] = {"forward": self.forward, "backward": self.backward}
        if self.asked and self.value is not None:
            details[ORDERS_AGREE] = self.is_consistent
        return Score(self.value, error=self.error, reasoning=self.reasoning, details=details)


class Pairwise:
    """Compares two answers. Two calls a pair, one for each order, made at once."""

    def __init__(
        self,
        model: ChatModel,
        *,
        criterion: str = "Which answer is right and answers the question asked.",
        shows_reference: bool = False,
        metric: str = "pairwise",
        attempts: int = 2,
    ) -> None:
        self._judge = Judge(model, attempts)
        self._instructions = BETTER.text.format(criterion=criterion.strip())
        self._shows_reference = shows_reference
        self.metric, self.attempts = metric, attempts
        self.judge = self._judge.instrument(metric, BETTER)
        self.digest = self._judge.digest(
            "pairwise/1", BETTER, metric=metric, instructions=self._instructions, shows_reference=shows_reference
        )

    async def compare(self, case: Case, output_a: Output, output_b: Output) -> Preference:
        """Whether A or B answers `case` better.

        Without a call: equal texts tie; a refusal or an empty answer loses to an answer and ties with its like. Where
        the case has no answer a refusal is right: it beats whatever is none and ties with its like.
        """
        if not (is_answer(output_a) and is_answer(output_b)):
            good = [is_answer(output) if case.answerable else output.declined for output in (output_a, output_b)]
            value = 0.5 if good[0] == good[1] else float(good[0])
            return Preference(value, value, value, reasoning=_unasked(case, output_a, output_b), asked=False)
        if output_a.text.strip() == output_b.text.strip():
            return Preference(0.5, 0.5, 0.5, reasoning="Both answers are the same text.", asked=False)
        orders = await asyncio.gather(
            self._verdict(case, output_a.text, output_b.text),
            self._verdict(case, output_b.text, output_a.text),
            return_exceptions=True,
        )
        for order in orders:
            if isinstance(order, Unusable):
                return Preference(None, error=str(order))
            if isinstance(order, BaseException):
                raise order
        forward, backward = (order for order in orders if isinstance(order, _Reply))
        ahead, behind = _WORTH[forward.better], 1 - _WORTH[backward.better]
        value = ahead if ahead == behind else 0.5
        reasons = [f"With this answer first: {forward.reason}", f"With the other first: {backward.reason}"]
        return Preference(value, ahead, behind, reasoning=joined(reasons))

    async def preferences(
        self, pairs: Iterable[tuple[Case, Output, Output]], *, at_once: int = 8
    ) -> dict[str, Preference]:
        """The preference of every case by its id, `at_once` pairs at a time."""
        room = asyncio.Semaphore(at_once)

        async def one(case: Case, output_a: Output, output_b: Output) -> tuple[str, Preference]:
            async with room:
                return case.id, await self.compare(case, output_a, output_b)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(*pair)) for pair in pairs]
        return dict(task.result() for task in tasks)

    async def _verdict(self, case: Case, first: str, second: str) -> _Reply:
        parts = [("question", case.question)]
        if self._shows_reference and (reference := reference_of(case)):
            parts.append(("reference", reference))
        return await self._judge.ask(
            self._instructions,
            [*parts, ("first", first), ("second", second)],
            schema=object_of(reason=TEXT, better={"type": "string", "enum": ["first", "second", "tie"]}),
            read=lambda completion: form_in(completion.text, _Reply),
            max_tokens=_MAX_TOKENS,
        )


class Against:
    """A scorer: how far an output is preferred to what the opponent gave for the same case.

    A case the opponent does not have is left out (`applies_to`). The opponent's failure is no answer: an answer beats
    it. `details` of a score say who the opponent is, what it said, both verdicts, and whether they agree.
    """

    def __init__(self, pairwise: Pairwise, opponent: Opponent) -> None:
        self._pairwise = pairwise
        self.opponent = opponent
        self.metrics = (pairwise.metric,)
        self.judge: Instrument | None = pairwise.judge
        self.digest = f"{pairwise.digest}:{opponent.digest}"
        # Pairs that need no judge cost nothing; how many of them there will be is not known beforehand.
        self.expected_work = Work(read=(0, 1_400), write=(0, 120))
        self.expected_calls = (0.0, 2 * pairwise.attempts * opponent.answered / max(1, opponent.total))

    def applies_to(self, case: Case) -> bool:
        """Whether the opponent has the case."""
        return self.opponent.rival(case, 0) is not None

    async def score(self, case: Case, output: Output, gold: tuple[Gold, ...]) -> Mapping[str, Score]:
        """1 where the output is better than the opponent's, 0 where it is worse, 0.5 for a tie."""
        rival = self.opponent.rival(case, replica.get())
        if rival is None:
            return {}
        score = (await self._pairwise.compare(case, output, rival.output)).as_score()
        details = {"against": self.opponent.name, "other": _said(rival), **score.details}
        return {self._pairwise.metric: replace(score, details=details)}


def _unasked(case: Case, *outputs: Output) -> str:
    this, other = (
        "declined" if output.declined else "is an answer" if is_answer(output) else "is empty" for output in outputs
    )
    right = "" if case.answerable else " The question has no answer, so declining is right."
    return f"This one {this}; the other {other}.{right}"


def _said(rival: Rival) -> str:
    if rival.failed:
        return f"(failed: {rival.failed})"
    return "(declined)" if rival.output.declined else rival.output.text[:_SHOWN_CHARACTERS]

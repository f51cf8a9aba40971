"""G-Eval (Liu et al. 2023, EMNLP, arXiv 2303.16634): a form of steps, and a score weighted by the judge's own odds.

A model writes the steps for a criterion once (or you give them); another call fills in the form and ends with a score.
Where the server shows log-probabilities the score is the mean over the numbers it might have said, by probability;
where it does not, the mean of `samples` replies with distinct seeds. Equal to `deepeval` to 1e-9 on the same scripted
replies with one sample, sound and malformed: `tests/oracles/test_judges.py`, which names the exceptions.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, isfinite, log
from statistics import fmean
from typing import Any

from pydantic import BaseModel

from assay.evals.case import Case
from assay.evals.judges.judge import TEXT, Judge, Parts, failed, list_of, object_of
from assay.evals.judges.prompts import SCORE, STEPS
from assay.evals.judges.ragas import is_answer, numbered, passages_of, reference_of
from assay.evals.judges.reply import Unusable, form_in, one_line, widest_object
from assay.evals.output import Output
from assay.evals.scorer import Gold, Instrument, Score
from assay.evals.timing import Work
from assay.gateway.replica import replica
from assay.models.chat import ChatModel, Completion, TokenLogprob

_TOP = 20
_LEAST_LOGPROB = log(0.01)
_MAX_TOKENS = 384
_SHOWN = ("passage", "question", "reference", "answer")


class _Steps(BaseModel):
    steps: list[str]


@dataclass(frozen=True, slots=True)
class _Reply:
    score: float
    reason: str
    weighted: bool


class GEval:
    """Scores an answer by a criterion or by steps, on a scale of whole numbers, as a value in [0, 1].

    One call a case where the server shows log-probabilities, else `samples`; and one for the steps, once.
    `shown` are the parts the judge sees, of passage, question, reference and answer; a case that lacks one is left out,
    save passages, which may be none. `metric` names it where several forms run side by side.
    """

    def __init__(
        self,
        model: ChatModel,
        *,
        criterion: str = "",
        steps: Sequence[str] = (),
        scale: tuple[int, int] = (1, 5),
        shown: Sequence[str] = ("question", "answer"),
        samples: int = 5,
        temperature: float = 1.0,
        metric: str = "g_eval",
        attempts: int = 1,
    ) -> None:
        if not criterion.strip() and not steps:
            raise ValueError("G-Eval needs a criterion or steps")
        if scale[0] >= scale[1]:
            raise ValueError(f"the scale must rise, not {scale}")
        if samples < 1 or "answer" not in shown or not set(shown) <= set(_SHOWN):
            raise ValueError(f"G-Eval shows an answer and any of {', '.join(_SHOWN)}, and takes one sample or more")
        self._judge = Judge(model, attempts)
        self._criterion, self._given = criterion.strip(), tuple(steps)
        self._scale, self._shown = scale, tuple(part for part in _SHOWN if part in shown)
        self._samples, self._temperature, self._metric = samples, temperature, metric
        self.expected_calls = (1.0, float(samples))
        # The embedded model, which alone is timed beforehand, shows log-probabilities: one call.
        self.expected_work = Work(read=(150, 700), write=(20, 60), passages=float("passage" in self._shown))
        self._writing = asyncio.Lock()
        self._written: tuple[str, ...] | None = None
        self.metrics = (metric,)
        prompts = (SCORE,) if steps else (STEPS, SCORE)
        self.judge: Instrument | None = self._judge.instrument(metric, *prompts)
        self.digest = self._judge.digest(
            "g_eval/1",
            *prompts,
            metric=metric,
            criterion=self._criterion,
            steps=list(steps),
            scale=list(scale),
            shown=list(self._shown),
            samples=samples,
            temperature=temperature,
        )

    async def score(self, case: Case, output: Output, gold: tuple[Gold, ...]) -> Mapping[str, Score]:
        """Absent for refusals, empty answers, and cases without a part that is to be shown."""
        parts = self._parts(case, output)
        if parts is None:
            return {}
        try:
            steps = await self.steps()
            replies, unusable = await self._replies(parts, steps)
            value = self._scaled(fmean(reply.score for reply in replies))
        except Unusable as error:
            return {self._metric: failed(error)}
        details: dict[str, Any] = {
            "steps": list(steps),
            "scores": [reply.score for reply in replies],
            "weighted": replies[0].weighted,
            "unusable": unusable,
        }
        return {self._metric: Score(value, reasoning=one_line(replies[0].reason, most=2_000), details=details)}

    async def steps(self) -> tuple[str, ...]:
        """The steps of the form: those given, or those the model writes the first time. Raises `Unusable`."""
        if self._given:
            return self._given
        async with self._writing:
            if self._written is None:
                # Resamples of a case share one form: what varies between them must be the judgement alone.
                token = replica.set(0)
                try:
                    self._written = await self._write_steps()
                finally:
                    replica.reset(token)
        return self._written

    async def _write_steps(self) -> tuple[str, ...]:
        shown = ", ".join(self._shown)
        return await self._judge.ask(
            STEPS.text,
            [("criterion", self._criterion), ("shown", shown)],
            schema=object_of(steps=list_of(TEXT, least=1, most=6)),
            read=lambda completion: tuple(form_in(completion.text, _Steps).steps),
            max_tokens=_MAX_TOKENS,
        )

    async def _replies(self, parts: Parts, steps: Sequence[str]) -> tuple[list[_Reply], int]:
        """What the judge said and how often it could not be used; one reply where it is weighted."""
        first = await self._ask(parts, steps, temperature=0.0, seed=0)
        if first.weighted or self._samples == 1:
            return [first], 0
        replies, unusable = [first], 0
        for seed in range(1, self._samples):
            try:
                replies.append(await self._ask(parts, steps, temperature=self._temperature, seed=seed))
            except Unusable as error:
                unusable += 1
                if 2 * unusable > self._samples:
                    raise Unusable(f"{unusable} of {seed + 1} replies cannot be used. {error}") from error
        return replies, unusable

    async def _ask(self, parts: Parts, steps: Sequence[str], *, temperature: float, seed: int) -> _Reply:
        low, high = self._scale
        form = [f"Criterion: {self._criterion}"] if self._criterion else []
        form += [f"Steps:\n{numbered(steps)}"] if steps else []
        return await self._judge.ask(
            SCORE.text.format(form="\n\n".join(form), low=low, high=high),
            parts,
            schema=object_of(reason=TEXT, score={"type": "integer", "enum": [*range(low, high + 1)]}),
            read=_read,
            max_tokens=_MAX_TOKENS,
            temperature=temperature,
            seed=seed,
            top_logprobs=_TOP,
        )

    def _scaled(self, score: float) -> float:
        low, high = self._scale
        value = (score - low) / (high - low)
        # Rounding may leave a hair outside the scale; anything more was said by the judge.
        if not isfinite(value) or not -1e-12 <= value <= 1 + 1e-12:
            raise Unusable(f"The judge's score is {score:g}, outside the scale of {low} to {high}.")
        return min(max(value, 0.0), 1.0)

    def _parts(self, case: Case, output: Output) -> Parts | None:
        if not is_answer(output):
            return None
        texts = {
            "passage": passages_of(output),
            "question": [case.question],
            "reference": [reference_of(case)],
            "answer": [output.text],
        }
        if "reference" in self._shown and not texts["reference"][0]:
            return None
        return [(part, text) for part in self._shown for text in texts[part]]


def _read(completion: Completion) -> _Reply:
    said = widest_object(completion.text)
    if missing := [key for key in ("reason", "score") if key not in said]:
        raise Unusable(f"The judge's reply lacks its {missing[0]}.")
    score = said["score"]
    try:
        number = float(score)
    except (TypeError, ValueError, OverflowError):
        raise Unusable(f"The judge's score is no number: {one_line(repr(score), most=80)}.") from None
    mean = weighted_score(completion.logprobs, str(score))
    reason = said["reason"] if isinstance(said["reason"], str) else ""
    return _Reply(number if mean is None else mean, reason, mean is not None)


def weighted_score(tokens: Sequence[TokenLogprob], score: str) -> float | None:
    """The mean of the numbers the judge might have said in place of `score`, by their probability.

    Looks at the last token that is `score` as written: its reason may hold the same number before. Alternatives under
    1% and those that are no whole number do not count; where none is left, or the score is no single token, None.
    """
    for token in reversed(tokens):
        if token.token == score:
            break
    else:
        return None
    weights = [
        (int(text), exp(logprob)) for text, logprob in token.top if not logprob < _LEAST_LOGPROB and text.isdecimal()
    ]
    total = sum(weight for _, weight in weights)
    return sum(number * weight for number, weight in weights) / total if total != 0 else None

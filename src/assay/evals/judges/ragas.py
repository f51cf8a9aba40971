"""The four metrics of RAGAS by their published definitions (Es et al. 2024, EACL demo, arXiv 2309.15217, and its
documentation for context precision and recall), with prompts of our own.

    faithfulness        statements of the answer the passages support / statements judged
    answer_relevancy    mean cosine of the question and questions the model writes for the answer; 0 if all evade
    context_precision   mean of precision@k over the ranks k of useful passages (useful for the reference answer)
    context_utilization the same, useful for the answer given: needs no reference
    context_recall      statements of the reference the passages hold / statements judged

Equal to `ragas` to 1e-9 on the same scripted replies, sound and malformed: `tests/oracles/test_judges.py`. A metric
that cannot apply (a refusal, no passages, no reference) is absent; a judge that failed is a score without a value.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from assay.errors import BadInput, Upstream
from assay.evals.case import Case
from assay.evals.judges.judge import FLAG, TEXT, Judge, failed, joined, list_of, object_of
from assay.evals.judges.prompts import ATTRIBUTED, QUESTION, STATEMENTS, USEFUL, VERDICTS
from assay.evals.judges.reply import Unusable, form_in
from assay.evals.output import Output
from assay.evals.scorer import Gold, Instrument, Score
from assay.evals.timing import Work
from assay.models.chat import ChatModel
from assay.models.embedder import Embedder

ATTEMPTS = 4
"""As many as ragas makes for one reply it can use; a model that follows a schema needs one."""

_MOST_STATEMENTS = 50
_WORDS_PER_STATEMENT = 3
_MOST_BRIEF_STATEMENTS = 16
_WORDS_PER_BRIEF_STATEMENT = 12
_TOKENS_PER_STATEMENT = 48
_TOKENS_PER_VERDICT = 64

Scores = Mapping[str, Score]


class _Statements(BaseModel):
    statements: list[str]


class _Verdict(BaseModel):
    reason: str
    verdict: int


class _Verdicts(BaseModel):
    verdicts: list[_Verdict]


class _Asked(BaseModel):
    question: str
    noncommittal: int


class _Attribution(BaseModel):
    statement: str
    reason: str
    attributed: int


class _Attributions(BaseModel):
    statements: list[_Attribution]


_VERDICT_SCHEMA = object_of(reason=TEXT, verdict=FLAG)


class Faithfulness:
    """The share of the answer's statements that its passages support. Two calls a case."""

    expected_calls = (2.0, 2.0)
    expected_work = Work(read=(160, 900), write=(60, 840), passages=1)

    metrics = ("faithfulness",)

    def __init__(self, model: ChatModel, *, attempts: int = ATTEMPTS) -> None:
        self._judge = Judge(model, attempts)
        self.judge: Instrument | None = self._judge.instrument("faithfulness", STATEMENTS, VERDICTS)
        self.digest = self._judge.digest("faithfulness/1", STATEMENTS, VERDICTS)

    async def score(self, case: Case, output: Output, gold: tuple[Gold, ...]) -> Scores:
        """Absent for refusals, empty answers and answers without passages."""
        passages = passages_of(output)
        if not is_answer(output) or not passages:
            return {}
        statements: list[str] = []
        try:
            statements = await self._statements(case.question, output.text)
            if not statements:
                raise Unusable("The judge found no statement in the answer.", again=False)
            verdicts = await self._verdicts(statements, passages)
            if not verdicts:
                raise Unusable("The judge gave no verdict.", again=False)
        except Unusable as unusable:
            return {"faithfulness": failed(unusable, statements=statements)}
        supported = [bool(verdict.verdict) for verdict in verdicts]
        reasons = [verdict.reason for verdict in verdicts]
        details = {"statements": statements, "supported": supported, "reasons": reasons}
        value = sum(supported) / len(supported)
        return {"faithfulness": Score(value, reasoning=joined(reasons), details=details)}

    async def _statements(self, question: str, answer: str) -> list[str]:
        most = most_statements(answer, brief=self._judge.is_brief)
        found = await self._judge.ask(
            STATEMENTS.text,
            [("question", question), ("answer", answer)],
            schema=object_of(statements=list_of(TEXT, most=most)),
            read=lambda completion: form_in(completion.text, _Statements).statements,
            max_tokens=128 + _TOKENS_PER_STATEMENT * most,
        )
        # The embedded model at times hands the form back as it stands in the prompt: dots state nothing.
        return [text for text in found if not (self._judge.is_brief and _is_dots(text))]

    async def _verdicts(self, statements: Sequence[str], passages: Sequence[str]) -> list[_Verdict]:
        count = len(statements)
        return await self._judge.ask(
            VERDICTS.text,
            [*(("passage", text) for text in passages), ("statements", numbered(statements))],
            schema=object_of(verdicts=list_of(_VERDICT_SCHEMA, least=count, most=count)),
            read=lambda completion: form_in(completion.text, _Verdicts).verdicts,
            max_tokens=128 + _TOKENS_PER_VERDICT * count,
        )


class AnswerRelevancy:
    """How near the question is to questions the model writes for the answer. `questions` calls and one embedding."""

    metrics = ("answer_relevancy",)

    def __init__(
        self,
        model: ChatModel,
        embedder: Embedder,
        *,
        questions: int = 3,
        temperature: float = 0.7,
        attempts: int = ATTEMPTS,
    ) -> None:
        self._judge = Judge(model, attempts)
        self._embedder, self._questions, self._temperature = embedder, questions, temperature
        self.expected_calls = (questions + 1.0, questions + 1.0)
        self.expected_work = Work(read=(60 * questions, 320 * questions), write=(22 * questions, 80 * questions))
        self.judge: Instrument | None = self._judge.instrument("answer_relevancy", QUESTION)
        self.digest = self._judge.digest(
            "answer_relevancy/1", QUESTION, questions=questions, temperature=temperature, embedder=embedder.digest
        )

    async def score(self, case: Case, output: Output, gold: tuple[Gold, ...]) -> Scores:
        """Absent for refusals and empty answers. A cosine below zero scores 0, where ragas would go below its scale."""
        if not is_answer(output):
            return {}
        asked: list[_Asked] = []
        try:
            for seed in range(self._questions):
                asked.append(await self._question(output.text, seed=seed))
            kept = [reply for reply in asked if reply.question]
            if not kept:
                raise Unusable("The judge wrote no question.", again=False)
            cosines = await self._cosines(case.question, [reply.question for reply in kept])
        except Unusable as unusable:
            return {"answer_relevancy": failed(unusable, questions=[reply.question for reply in asked])}
        evades = all(reply.noncommittal for reply in kept)
        mean = float(cosines.mean())
        questions = [reply.question for reply in kept]
        details = {
            "questions": questions,
            "noncommittal": [bool(reply.noncommittal) for reply in kept],
            "cosines": [float(cosine) for cosine in cosines],
        }
        value = 0.0 if evades else min(max(mean, 0.0), 1.0)
        return {"answer_relevancy": Score(value, reasoning=joined(questions), details=details)}

    async def _question(self, answer: str, *, seed: int) -> _Asked:
        return await self._judge.ask(
            QUESTION.text,
            [("answer", answer)],
            schema=object_of(question=TEXT, noncommittal=FLAG),
            read=lambda completion: form_in(completion.text, _Asked),
            max_tokens=128,
            temperature=self._temperature,
            seed=seed,
        )

    async def _cosines(self, question: str, written: Sequence[str]) -> NDArray[np.float64]:
        try:
            embedded = await self._embedder.embed([question, *written], kind="query")
        except (Upstream, BadInput) as error:
            raise Unusable(f"The embedder failed ({error.slug}): {error.message}", again=False) from error
        vectors = np.asarray(embedded, dtype=np.float64)
        norms = np.linalg.norm(vectors, axis=1)
        if not (np.isfinite(norms).all() and norms.all()):
            raise Unusable("The embedder gave a vector without a direction.", again=False)
        cosines: NDArray[np.float64] = vectors[1:] @ vectors[0] / (norms[1:] * norms[0])
        return cosines


class ContextPrecision:
    """Whether useful passages come first. One call a passage.

    `against` "reference": useful for the case's reference answer; "answer": for the answer given, which needs none and
    is another metric, `context_utilization`.
    """

    expected_calls = (1.0, 10.0)
    expected_work = Work(read=(0, 0), write=(0, 0), passages=1, each_read=(60, 290), each_write=(25, 45))

    def __init__(
        self, model: ChatModel, *, against: Literal["reference", "answer"] = "reference", attempts: int = ATTEMPTS
    ) -> None:
        self._judge = Judge(model, attempts)
        self._against = against
        self._metric = "context_precision" if against == "reference" else "context_utilization"
        self.metrics = (self._metric,)
        self.judge: Instrument | None = self._judge.instrument(self._metric, USEFUL)
        self.digest = self._judge.digest(f"{self._metric}/1", USEFUL)

    async def score(self, case: Case, output: Output, gold: tuple[Gold, ...]) -> Scores:
        """Absent without passages, and without a reference answer (or an answer) to judge them by."""
        passages = passages_of(output)
        answer = self._answer(case, output)
        if not passages or not answer:
            return {}
        verdicts: list[_Verdict] = []
        try:
            for text in passages:
                verdicts.append(await self._verdict(case.question, answer, text))
        except Unusable as unusable:
            return {self._metric: failed(unusable, useful=[bool(v.verdict) for v in verdicts])}
        useful = [bool(verdict.verdict) for verdict in verdicts]
        reasons = [verdict.reason for verdict in verdicts]
        details = {"useful": useful, "reasons": reasons}
        return {self._metric: Score(average_precision(useful), reasoning=joined(reasons), details=details)}

    def _answer(self, case: Case, output: Output) -> str:
        if self._against == "reference":
            return reference_of(case)
        return output.text if is_answer(output) else ""

    async def _verdict(self, question: str, answer: str, passage: str) -> _Verdict:
        return await self._judge.ask(
            USEFUL.text,
            [("question", question), ("answer", answer), ("passage", passage)],
            schema=_VERDICT_SCHEMA,
            read=lambda completion: form_in(completion.text, _Verdict),
            max_tokens=2 * _TOKENS_PER_VERDICT,
        )


class ContextRecall:
    """The share of the reference answer's statements that the passages hold. One call a case."""

    expected_calls = (1.0, 1.0)
    expected_work = Work(read=(60, 500), write=(80, 400), passages=1)

    metrics = ("context_recall",)

    def __init__(self, model: ChatModel, *, attempts: int = ATTEMPTS) -> None:
        self._judge = Judge(model, attempts)
        self.judge: Instrument | None = self._judge.instrument("context_recall", ATTRIBUTED)
        self.digest = self._judge.digest("context_recall/1", ATTRIBUTED)

    async def score(self, case: Case, output: Output, gold: tuple[Gold, ...]) -> Scores:
        """Absent without passages or without a reference answer."""
        passages, reference = passages_of(output), reference_of(case)
        if not passages or not reference:
            return {}
        try:
            found = await self._attributions(case.question, reference, passages)
            if not found:
                raise Unusable("The judge found no statement in the reference answer.", again=False)
        except Unusable as unusable:
            return {"context_recall": failed(unusable)}
        attributed = [bool(one.attributed) for one in found]
        reasons = [one.reason for one in found]
        details = {"statements": [one.statement for one in found], "attributed": attributed, "reasons": reasons}
        value = sum(attributed) / len(attributed)
        return {"context_recall": Score(value, reasoning=joined(reasons), details=details)}

    async def _attributions(self, question: str, reference: str, passages: Sequence[str]) -> list[_Attribution]:
        item = object_of(statement=TEXT, reason=TEXT, attributed=FLAG)
        most = most_statements(reference, brief=self._judge.is_brief)
        return await self._judge.ask(
            ATTRIBUTED.text,
            [*(("passage", text) for text in passages), ("question", question), ("reference", reference)],
            schema=object_of(statements=list_of(item, most=most)),
            read=lambda completion: form_in(completion.text, _Attributions).statements,
            max_tokens=128 + 2 * _TOKENS_PER_VERDICT * most,
        )


def average_precision(useful: Sequence[bool]) -> float:
    """Mean of precision@k over the ranks k that are useful; 0 where none is.

    ragas adds 1e-10 to the number of useful passages, a difference below 1e-10 in the result.
    """
    hits, total = 0, 0.0
    for rank, is_useful in enumerate(useful, start=1):
        hits += is_useful
        total += hits / rank if is_useful else 0.0
    return total / hits if hits else 0.0


def most_statements(text: str, *, brief: bool = False) -> int:
    """How many statements a judge may find in `text`: weak models repeat one until they are stopped."""
    per, most = (
        (_WORDS_PER_BRIEF_STATEMENT, _MOST_BRIEF_STATEMENTS) if brief else (_WORDS_PER_STATEMENT, _MOST_STATEMENTS)
    )
    return min(max(len(text.split()) // per, 3), most)


def _is_dots(text: str) -> bool:
    return bool(text.strip()) and not any(map(str.isalnum, text))


def is_answer(output: Output) -> bool:
    """Whether there is an answer to judge: a refusal or an empty text is none."""
    return not output.declined and bool(output.text.strip())


def passages_of(output: Output) -> list[str]:
    """What the answer rests on: the passages retrieved, or what it cites where the system shows no passages."""
    return [passage.text for passage in output.passages] or [cited.quote for cited in output.citations if cited.quote]


def reference_of(case: Case) -> str:
    """The reference answer judges compare with: the first alternative that says anything, or nothing."""
    return next((answer for answer in case.answers if answer.strip()), "")


def numbered(texts: Sequence[str]) -> str:
    """Texts as numbered lines; a line break inside one becomes a blank, so that no text can add a number."""
    return "\n".join(f"{i}. {' '.join(text.split())}" for i, text in enumerate(texts, start=1))

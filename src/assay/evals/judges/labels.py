"""What people said, beside what a judge said: the lines a judge is checked on.

    {"case": "q1", "label": 1, "score": 0.8}                       the judge's score was recorded
    {"case": "q1", "label": 1, "question": "...", "answer": "...", "contexts": ["..."]}     judge it now
    {"case": "q1", "label": 1, "score": 1, "swapped": 0}           a pair, judged in both orders

`label` is 0 or 1, or graded between; `labels` are several people's. For a pair both are 1 where the first answer is the
better one, `score` is the verdict with it shown first and `swapped` the verdict with it shown second, in its terms too.
Optional: `arm` (which system answered), `cluster`, `length` (of the answer; for a pair, first minus second),
`cost_usd`, `error` (the judge failed), `reference`, `other` (the second answer of a pair).
"""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assay.evals.case import Case
from assay.evals.faults import Faults, TooMany, shortened
from assay.evals.judges.pairwise import Pairwise
from assay.evals.judges.reply import one_line
from assay.evals.lines import json_objects, open_regular
from assay.evals.output import Output, Retrieved
from assay.evals.scorer import Scorer
from assay.gateway.tally import tallying

_TEXTS = ("arm", "cluster", "error", "question", "answer", "reference", "other")
_SHARES = ("label", "score", "swapped")
_NUMBERS = ("length", "cost_usd")
FIELDS = ("case", "id", *_SHARES, "labels", *_NUMBERS, "contexts", *_TEXTS)


@dataclass(frozen=True, slots=True)
class Label:
    """One case as people and the judge see it; `label`, `score` and `swapped` in [0, 1].

    `score` None with an `error` is a judge that failed; without one, a case still to be judged. `labels` are the single
    people's, where known; `label` is then their mean. `calls` and `cost_usd` are the judge's (None: not known).
    """

    case: str
    label: float
    labels: tuple[float, ...] = ()
    score: float | None = None
    swapped: float | None = None
    error: str = ""
    arm: str = ""
    cluster: str = ""
    length: float | None = None
    cost_usd: float | None = None
    calls: int = 0
    question: str = ""
    answer: str = ""
    other: str = ""
    reference: str = ""
    contexts: tuple[str, ...] = ()

    @property
    def is_judged(self) -> bool:
        """Whether the judge has been asked, with or without success."""
        return self.score is not None or bool(self.error)


def read_labels(path: Path) -> list[Label]:
    """The labels of a JSONL file, in its order. Raises `BadInput` that names every line that is wrong."""
    faults = Faults(str(path), example='{"case": "q1", "label": 1, "score": 0.9}')
    labels, seen = list[Label](), dict[tuple[str, str], int]()
    with open_regular(path, what="a file of labels") as file:
        try:
            for number, row in json_objects(file, faults):
                label = _label(row, number, faults)
                if label is None:
                    continue
                key = label.case, label.arm
                if key in seen:
                    again = f"is the case of line {seen[key]} again: {shortened(label.case)}"
                    faults.add(number, again, 'Give each line a "case" of its own, or another "arm".')
                seen[key] = number
                labels.append(label)
        except TooMany:
            pass
    if not labels and not faults.found:
        faults.add(1, "holds no label", 'Write one JSON object per line, such as {"case": "q1", "label": 1}.')
    faults.check("file of labels")
    return labels


async def judged(labels: Sequence[Label], judge: Scorer | Pairwise, *, at_once: int = 8) -> list[Label]:
    """The labels with the judge's scores; those that have one keep it. Answers' lengths are filled in."""
    room = asyncio.Semaphore(at_once)

    async def one(label: Label) -> Label:
        if label.is_judged:
            return label
        async with room:
            with tallying() as bill:
                found = await _judged(label, judge)
        cost_usd = None if bill.unpriced_calls else bill.cost_usd
        return replace(found, cost_usd=cost_usd, calls=bill.paid_calls, length=_length(label))

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(label)) for label in labels]
    return [task.result() for task in tasks]


async def _judged(label: Label, judge: Scorer | Pairwise) -> Label:
    case = Case(label.case, label.question, answers=(label.reference,) if label.reference else ())
    output = Output(label.answer, passages=tuple(Retrieved("", text) for text in label.contexts))
    if isinstance(judge, Pairwise):
        preference = await judge.compare(case, output, Output(label.other))
        if preference.value is None:
            return replace(label, error=preference.error)
        return replace(label, score=preference.forward, swapped=preference.backward)
    scores = await judge.score(case, output, ())
    score = scores.get(judge.metrics[0])
    if score is None:
        return replace(label, error=f"{judge.metrics[0]} does not apply: the label lacks what it judges by.")
    return replace(label, score=score.value, error=score.error)


def _length(label: Label) -> float | None:
    if label.length is not None or not label.answer:
        return label.length
    return float(len(label.answer) - len(label.other))


def _label(row: Mapping[str, Any], number: int, faults: Faults) -> Label | None:
    before = len(faults.found)
    for name in row:
        if name not in FIELDS:
            faults.add(number, f'has an unknown field "{shortened(name)}"', f"Use only {', '.join(FIELDS)}.")
    name = row.get("case", row.get("id"))
    if type(name) not in (str, int) or not str(name).strip():
        faults.add(number, 'has no "case"', 'Name the case: {"case": "q1", ...}.')
    numbers = {field: _number(row, field, number, faults) for field in (*_SHARES, *_NUMBERS)}
    texts = {field: _text(row, field, number, faults) for field in _TEXTS}
    labels = _list(row, "labels", number, faults, of=(bool, int, float))
    contexts = _list(row, "contexts", number, faults, of=(str,))
    if any(not 0 <= value <= 1 for value in labels):
        faults.add(number, 'has "labels" outside 0 to 1', "Scale the labels to 0 to 1.")
    if numbers["label"] is None and not labels:
        faults.add(number, 'has no "label"', "Say what people said: 0 for bad, 1 for good, or between.")
    if numbers["score"] is None and not texts["error"] and not texts["answer"]:
        faults.add(number, "has neither a score nor an answer", 'Give the judge\'s "score", or the "answer" to judge.')
    if numbers["swapped"] is not None and numbers["score"] is None:
        faults.add(number, 'has "swapped" and no "score"', "Give both verdicts of a pair, or neither.")
    if len(faults.found) > before:
        return None
    people = tuple(float(value) for value in labels)
    mean = numbers["label"]
    return Label(
        str(name),
        sum(people) / len(people) if mean is None else mean,
        labels=people,
        score=numbers["score"],
        swapped=numbers["swapped"],
        length=numbers["length"],
        cost_usd=numbers["cost_usd"],
        contexts=tuple(contexts),
        error=texts["error"],
        arm=texts["arm"],
        cluster=texts["cluster"],
        question=texts["question"],
        answer=texts["answer"],
        other=texts["other"],
        reference=texts["reference"],
    )


def _number(row: Mapping[str, Any], field: str, number: int, faults: Faults) -> float | None:
    value = row.get(field)
    if value is None:
        return None
    if not isinstance(value, bool | int | float) or not math.isfinite(value):
        faults.add(number, f'has a "{field}" that is no number: {one_line(repr(value), most=40)}', "Write a number.")
        return None
    if field in _SHARES and not 0 <= value <= 1:
        faults.add(number, f'has a "{field}" of {value:g}, outside 0 to 1', "Scale it to 0 to 1.")
        return None
    return float(value)


def _text(row: Mapping[str, Any], field: str, number: int, faults: Faults) -> str:
    value = row.get(field)
    if value is None:
        return ""
    if not isinstance(value, str):
        faults.add(number, f'has a "{field}" that is no text: {one_line(repr(value), most=40)}', "Write a text.")
        return ""
    return value


def _list(row: Mapping[str, Any], field: str, number: int, faults: Faults, *, of: tuple[type, ...]) -> list[Any]:
    value = row.get(field)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, of) for item in value):
        what = "texts" if of == (str,) else "numbers"
        faults.add(number, f'has "{field}" that is no list of {what}', f"Write a list of {what}.")
        return []
    return value

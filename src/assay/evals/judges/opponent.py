"""Answers that others are judged against: those of an earlier run, or the cases' own reference answers.

A case is matched by its id and its question, a replica by its number; where the other side was asked less often its
answers are taken round again. Invariant: `digest` names every answer judged against, so a run whose opponent has grown
since is another run. Only texts are held, and only of the cases at hand. Proved by
`tests/unit/evals/judges/test_pairwise.py`.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.errors import BadSetting
from assay.evals.case import Case
from assay.evals.judges.ragas import reference_of
from assay.evals.output import Output
from assay.evals.result import Result
from assay.ledger.values import key_of

_Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Rival:
    """What the other side gave for a case; `failed` says in one line why it gave nothing."""

    output: Output
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Opponent:
    """One side of every pair. `name` is for people, `run_id` empty where the references are meant.

    `total` cases are judged, `answered` of them have an answer here; pairwise does not apply to the others.
    """

    name: str
    digest: str
    total: int
    answered: int
    rivals: Mapping[_Key, tuple[Rival, ...]]
    run_id: str = ""
    system: str = ""

    @classmethod
    def of(
        cls, cases: Sequence[Case], rivals: Mapping[_Key, tuple[Rival, ...]], *, name: str, run_id: str, system: str
    ) -> "Opponent":
        """The opponent of `cases` that gave `rivals`, by id and question and in order of replicas."""
        there = [key for case in cases if (key := (case.id, case.question)) in rivals]
        said = hashlib.sha256()
        for key in there:
            line = [key, [[one.output.text, one.output.declined, bool(one.failed)] for one in rivals[key]]]
            said.update(json.dumps(line).encode())
        digest = key_of("opponent", {"run": run_id, "answers": said.hexdigest()})
        return cls(name, digest, len(cases), len(there), rivals, run_id, system)

    def rival(self, case: Case, replica: int) -> Rival | None:
        """What is judged against in this replica; None where the other side does not have the case."""
        found = self.rivals.get((case.id, case.question))
        return found[replica % len(found)] if found else None

    @property
    def sentence(self) -> str:
        """Who it is and how many cases it has, for people."""
        of = f" of {self.system}" if self.system else ""
        missing = self.total - self.answered
        left = f"; it does not apply to the other {missing:,}" if missing else ""
        return f"pairwise is against {self.name}{of}: {self.answered:,} of {self.total:,} cases are there{left}"

    def as_json(self) -> dict[str, Any]:
        """As the run's record names it."""
        return {
            "name": self.name,
            "run_id": self.run_id,
            "system": self.system,
            "digest": self.digest,
            "cases": self.total,
            "answered": self.answered,
        }


def earlier_run(
    cases: Sequence[Case], results: Iterable[Result], *, of: Sequence[Case], run_id: str, system: str
) -> Opponent:
    """The answers an earlier run gave to `cases`. `results` are the run's, in order, and `of` the cases it was on.

    One that failed there is there too, without an answer. Raises BadSetting where it has none of the cases.
    """
    wanted = {(case.id, case.question) for case in cases}
    rivals: dict[_Key, tuple[Rival, ...]] = {}
    for result in results:
        asked = of[result.ordinal]
        key = (asked.id, asked.question)
        if key in wanted:
            rivals[key] = (*rivals.get(key, ()), _rival(result))
    if not rivals:
        raise BadSetting(
            f"Run {run_id[:8]} has none of the cases at hand: pairwise would apply to nothing.",
            hint="Choose a run on the same cases with --against; `assay runs` lists them.",
        )
    return Opponent.of(cases, rivals, name=f"run {run_id[:8]}", run_id=run_id, system=system)


def references(cases: Sequence[Case]) -> Opponent:
    """The cases' reference answers; of a question without an answer the reference is to decline.

    Raises BadSetting where no case has a reference answer.
    """
    rivals: dict[_Key, tuple[Rival, ...]] = {}
    for case in cases:
        if not case.answerable:
            rivals[case.id, case.question] = (Rival(Output(declined=True)),)
        elif reference := reference_of(case):
            rivals[case.id, case.question] = (Rival(Output(reference)),)
    if not any(reference_of(case) for case in cases):
        raise BadSetting(
            "pairwise has nothing to judge against: none of these cases has a reference answer.",
            hint="Name an earlier run on these cases with --against RUN_ID (evals.against); `assay runs` lists them.",
        )
    return Opponent.of(cases, rivals, name="the reference answers", run_id="", system="")


def _rival(result: Result) -> Rival:
    output = result.output
    if result.error or output is None:
        return Rival(Output(), result.error or "no output")
    return Rival(Output(output.text, declined=output.declined))

"""Several generations of prompts: answer a minibatch, reflect on what failed, propose, and go on from the best.

As in GEPA (Agrawal et al. 2025, arXiv 2507.19457, algorithms 1 and 2), parents come from a Pareto set over the cases of
the minibatch: a prompt that is best on one case stays, though its mean be lower, because it holds a rule others lack.
Unlike there, nothing is accepted here: with three questions a candidate that is 7.8 points worse looks better 18 times
in a hundred, so minibatch scores choose parents and what is worth racing, and the race and its confirmation say the
rest. Invariants: never more calls than `planned_calls`; the same replies and answers give the same lineage. An
interrupted evolution is run again: models and systems behind a cache give what they gave. Proved by
`tests/unit/decisions/race/test_evolution.py`.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from assay.decisions.race.failures import Failure, failures_of
from assay.decisions.race.prompts import Proposals, Rejected, Variant, propose
from assay.evals.case import Case
from assay.evals.result import Result
from assay.models.chat import ChatModel


@dataclass(frozen=True, slots=True)
class ScoredCase:
    """How a prompt did on a case of the minibatch. None where the system or its judge failed: it is not best there."""

    case_id: str
    score: float | None
    failure: Failure | None = None


Ask = Callable[[str], Awaitable[Sequence[ScoredCase]]]
"""Answers the minibatch, always the same cases, under a prompt's text."""


@dataclass(frozen=True, slots=True)
class PlannedCalls:
    """The most an evolution asks for: answers of the system, and proposals of the model."""

    answers: int
    proposals: int


@dataclass(frozen=True, slots=True)
class Evolution:
    """`lineage` begins with the start. `finalists` are the variants worth racing, without the start.

    `scores` are of the minibatch, by digest; those of the last generation are not known. They support no claim.
    """

    lineage: tuple[Variant, ...]
    finalists: tuple[Variant, ...]
    proposals: Proposals
    scores: Mapping[str, Mapping[str, float]]


def planned_calls(*, minibatch: int, generations: int, per_generation: int) -> PlannedCalls:
    """The start is answered, and every generation but the last: that one is for the race to measure."""
    answered = 1 + (generations - 1) * per_generation if generations else 0
    return PlannedCalls(answers=minibatch * answered, proposals=generations * per_generation)


async def evolve(
    model: ChatModel,
    *,
    start: str,
    ask: Ask,
    generations: int,
    per_generation: int,
    failures: int = 8,
    task: str = "",
    seed: int = 0,
) -> Evolution:
    """Improve `start` for some generations, each of up to `per_generation` variants. `failures` are shown a prompt.

    Raises what `ask` raises, and `LimitReached` where the budget of `model` is used up; a model that fails or writes
    nothing usable leaves fewer variants, and `proposals` says why.
    """
    lineage = [Variant(start)]
    newest, proposals = list(lineage), Proposals()
    answered: dict[str, Sequence[ScoredCase]] = {}
    for generation in range(1, generations + 1):
        for variant in newest:
            answered[variant.digest] = await ask(variant.text)
        parents = pareto(lineage, scores_of(answered))
        newest = []
        if not parents:
            proposals += Proposals(rejected=(Rejected("no_failures", "No answer to the minibatch could be scored."),))
        for parent, count in _shared_out(parents, per_generation):
            made = await propose(
                model,
                parent=parent.text,
                failures=_worst(answered[parent.digest])[:failures],
                count=count,
                generation=generation,
                task=task,
                others=[variant.text for variant in [*lineage, *newest]],
                seed=seed + proposals.calls,
            )
            newest += made.variants
            proposals += made
        lineage += newest
        if not newest:
            break
    scores = scores_of(answered)
    unbeaten = [variant for variant in pareto(lineage, scores) if variant.generation]
    return Evolution(tuple(lineage), (*unbeaten, *newest), proposals, scores)


def pareto(variants: Sequence[Variant], scores: Mapping[str, Mapping[str, float]]) -> list[Variant]:
    """Those that are best on a case, first the ones that are best on most, and of equals the higher mean.

    One that another equals or beats on every case, and beats on some, is out; of prompts with equal scores the oldest
    stays. Unanswered ones are out.
    """
    known = [variant for variant in variants if scores.get(variant.digest)]
    cases = sorted({case for variant in known for case in scores[variant.digest]})
    best = {case: max(scores[v.digest][case] for v in known if case in scores[v.digest]) for case in cases}
    rows = {v.digest: [scores[v.digest].get(case, -1.0) for case in cases] for v in known}

    def wins(variant: Variant) -> int:
        return sum(scores[variant.digest].get(case, -1.0) == best[case] for case in cases)

    stay = [
        variant
        for place, variant in enumerate(known)
        if wins(variant)
        and not any(_beats(rows[other.digest], rows[variant.digest]) for other in known)
        and not any(rows[older.digest] == rows[variant.digest] for older in known[:place])
    ]
    return sorted(stay, key=lambda variant: (-wins(variant), -fmean(scores[variant.digest].values())))


def scored_cases(results: Sequence[Result], cases: Collection[Case], metric: str) -> list[ScoredCase]:
    """What an `Ask` gives back, from the results of a run: a line a case, with the mean over its replicas.

    A case whose answer or score failed has no score. Raises ValueError for a result of none of the `cases`.
    """
    failed = {failure.case_id: failure for failure in failures_of(results, cases, metric, most=len(cases))}
    found: dict[str, list[float | None]] = defaultdict(list)
    for result in results:
        score = result.scores.get(metric)
        found[result.case_id].append(None if result.output is None or score is None else score.value)
    return [
        ScoredCase(case_id, fmean(known) if known else None, failed.get(case_id))
        for case_id, values in found.items()
        for known in [[value for value in values if value is not None]]
    ]


def scores_of(answered: Mapping[str, Sequence[ScoredCase]]) -> dict[str, dict[str, float]]:
    """The scores that are known, by digest and case."""
    return {
        digest: {case.case_id: case.score for case in cases if case.score is not None}
        for digest, cases in answered.items()
    }


def _beats(row: Sequence[float], other: Sequence[float]) -> bool:
    return row != other and all(mine >= theirs for mine, theirs in zip(row, other, strict=True))


def _worst(cases: Sequence[ScoredCase]) -> list[Failure]:
    """The failures, worst first and otherwise in the order given."""
    return sorted((case.failure for case in cases if case.failure is not None), key=lambda failure: failure.score)


def _shared_out(parents: Sequence[Variant], count: int) -> list[tuple[Variant, int]]:
    """How many variants each parent is asked for: as even as can be, more from those that are best on more."""
    shares = [count // len(parents) + (place < count % len(parents)) for place in range(len(parents))]
    return [(parent, share) for parent, share in zip(parents, shares, strict=True) if share]

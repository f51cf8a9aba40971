"""Designs that retrieve worse are left out before any answer is made, where the cases name their evidence.

A search costs next to nothing beside an answer, and all designs of an index are scored in one pass. The best third of
the searches goes on, whatever equals the last of them, and what serves. Designs that differ only in what a ranking does
not show (how many passages are sent, how an answer is written) are equal here: the race tells them apart.
Proved by `tests/unit/app/test_race_prune.py`.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.app.behind import unretried
from assay.app.loading import roles_in_use
from assay.app.measuring import Measuring
from assay.app.race_arms import Entry
from assay.app.race_heats import Heats
from assay.evals.design_scores import design_scores
from assay.index.settings import IndexSettings

_FEWEST_SEARCHES = 4
"""Of fewer, a third would be one: then it is not pruned, it is picked."""

_FEWEST_CASES = 30
_LONGEST_RANKING = 10
_HAIR = 1e-9


@dataclass(frozen=True, slots=True)
class Pruned:
    """Arms that go on, by number, and the mean retrieval `scores` of all that were scored; `cut` is the lowest kept."""

    kept: tuple[int, ...]
    scores: Mapping[int, float]
    metric: str
    questions: int
    seconds: float
    cut: float

    def why(self, number: int) -> str:
        """Why an arm is out."""
        score = self.scores.get(number, 0.0)
        return f"{self.metric} {score:.3f} on {self.questions:,} questions, the cut was at {self.cut:.3f}"

    def as_json(self) -> dict[str, Any]:
        """As the view shows it."""
        return {
            "metric": self.metric,
            "questions": self.questions,
            "kept": len(self.kept),
            "out": len(set(self.scores) - set(self.kept)),
            "seconds": self.seconds,
        }


async def pruned(measuring: Measuring, entries: Sequence[Entry], opened: Heats, *, incumbent: int) -> Pruned | None:
    """None where there is nothing to prune by: too little evidence, too few searches, systems of the user's."""
    ready = next((runner.ready for runner in opened.runners if runner.ready and not runner.ready.is_foreign), None)
    able = {runner.entry.arm.number for runner in opened.runners if runner.ready is not None}
    scored = [
        entry
        for entry in entries
        if entry.contender.system is None and entry.arm.number in able and not _reranks(entry)
    ]
    if ready is None or len({_ranking(entry) for entry in scored}) < _FEWEST_SEARCHES:
        return None
    cases = [case for case in ready.chosen.cases if ready.gold.get(case.id)]
    if len(cases) < _FEWEST_CASES:
        return None
    depth = min(_LONGEST_RANKING, *(entry.in_force.settings.index.k for entry in scored))
    metric, started = f"ndcg@{depth}", time.monotonic()
    means: dict[int, float] = {}
    golds = [ready.gold[case.id] for case in cases]
    for searched in dict.fromkeys(_index_of(entry) for entry in scored):
        some = [entry for entry in scored if _index_of(entry) == searched]
        designs: dict[IndexSettings, list[int]] = {}
        for entry in some:
            # A rerank that nobody does is none.
            design = entry.in_force.settings.index.model_copy(update={"rerank": 0})
            designs.setdefault(design, []).append(entry.arm.number)
        async with measuring.workspace.variant(unretried(some[0].in_force)) as variant:
            assert ready.behind is not None
            embedder = ready.behind.embedder(await variant.embedder())
            index = await variant.search_index()
            found = await design_scores(index, embedder, cases, golds, list(designs), metric=metric)
        for numbers, row in zip(designs.values(), found, strict=True):
            means.update(dict.fromkeys(numbers, float(np.nanmean(row))))
    kept, cut_at = _best_third(means, {entry.arm.number: _ranking(entry) for entry in scored})
    unscored = [entry.arm.number for entry in entries if entry.arm.number not in means]
    seconds = time.monotonic() - started
    return Pruned(tuple(sorted({*kept, *unscored, incumbent})), means, metric, len(cases), seconds, cut_at)


def _best_third(means: Mapping[int, float], rankings: Mapping[int, str]) -> tuple[list[int], float]:
    """Arms whose ranking is among the best third of the different ones, and the lowest mean among them."""
    best = {rankings[number]: mean for number, mean in means.items()}
    ordered = sorted(best.values(), reverse=True)
    cut = ordered[math.ceil(len(ordered) / 3) - 1]
    return [number for number, mean in means.items() if mean >= cut - _HAIR], cut


def _reranks(entry: Entry) -> bool:
    return "reranker" in roles_in_use(entry.in_force.settings)


def _index_of(entry: Entry) -> tuple[str, str]:
    """Arms that are equal in this search one index."""
    return entry.cut, entry.in_force.settings.index.language


def _ranking(entry: Entry) -> str:
    """Arms that are equal in this rank passages alike, however many of them they send on."""
    index = entry.in_force.settings.index
    depth = max(index.candidates, index.k)
    fused = [index.fusion, index.dense_weight, index.rrf_k if index.fusion == "rrf" else 0, depth]
    return repr([entry.cut, index.mode, index.language, fused if index.mode == "fused" else None])

"""Retrieval designs scored on cases with gold evidence, all at once and before anything is generated.

Invariant: a cell is the value that `RetrievalScorer` gives the output of Assay's own system under that design, for its
passages are those of `index.designs`. Proved by `tests/unit/evals/test_design_scores.py`.
"""

import asyncio
import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing

import numpy as np
from numpy.typing import NDArray

from assay.answers.ask import checked
from assay.errors import BadInput
from assay.evals.case import Case
from assay.evals.output import Output, Retrieved
from assay.evals.retrieval_metrics import (
    Ranking,
    RetrievalScorer,
    average_precision,
    ndcg,
    precision,
    rank,
    recall,
    reciprocal_rank,
)
from assay.evals.scorer import Gold
from assay.index.designs import ranked
from assay.index.records import StoredPassage
from assay.index.retriever import SearchIndex
from assay.index.settings import IndexSettings
from assay.models.embedder import Embedder

_NAME = re.compile(r"(\w+?)(?:@([1-9]\d{0,5})(t?))?")
_AT_K: Mapping[str, Callable[[Ranking, int], float]] = {"precision": precision, "recall": recall, "ndcg": ndcg}
_WHOLE: Mapping[str, Callable[[Ranking], float]] = {"mrr": reciprocal_rank, "map": average_precision}


async def design_scores(
    index: SearchIndex,
    embedder: Embedder,
    cases: Sequence[Case],
    golds: Sequence[tuple[Gold, ...]],
    designs: Sequence[IndexSettings],
    *,
    metric: str = "ndcg@10",
    progress: Callable[[int], None] | None = None,
) -> NDArray[np.float64]:
    """Values in [0, 1], shape (designs, cases); NaN where the metric does not apply, as for a case without gold.

    `golds` are the cases' own, of `gold.resolve_all`. `metric` is a name of `RetrievalScorer`, at any k or token
    budget. `progress` is told how many cases are done. Raises BadInput for another name, or a design that re-ranks.
    """
    if len(golds) != len(cases):
        raise ValueError(f"{len(golds)} golds for {len(cases)} cases")
    value_of = _Metric(metric)
    scores = np.full((len(designs), len(cases)), np.nan)
    places = [place for place, gold in enumerate(golds) if gold]
    done = 0
    questions = [_asked(cases[place].question) for place in places]
    async with aclosing(ranked(index, embedder, questions, designs)) as results:
        async for founds in results:
            place = places[done]
            lists = [tuple(found.ids.tolist()) for found in founds]
            wanted = {passage_id for ids in lists for passage_id in ids}
            stored = await asyncio.to_thread(index.store.passages, wanted)
            # Scores of the passages are left out: no metric looks at them, and so equal lists are scored once.
            values = {
                ids: await value_of(cases[place], _retrieved(stored, ids), golds[place]) for ids in dict.fromkeys(lists)
            }
            scores[:, place] = [values[ids] for ids in lists]
            done += 1
            if progress is not None:
                progress(done)
    return scores


class _Metric:
    """A metric by name. The ranked ones are worked out alone, the others by the scorer together with what it gives."""

    def __init__(self, name: str) -> None:
        known = RetrievalScorer().metrics
        parts = _NAME.fullmatch(name)
        family, cut = (parts[1], parts[2]) if parts else ("", None)
        self.name, self._family = name, family
        budgets = (int(cut),) if cut and parts and parts[3] else ()
        self._k = int(cut) if cut and not budgets else 1
        self._scorer = RetrievalScorer(ks=(self._k,), token_budgets=budgets)
        if name not in self._scorer.metrics:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
            hint = f"Did you mean {near[0]}?" if near else f"Use one of {', '.join(known)}."
            raise BadInput(f"There is no retrieval metric {name!r}.", hint=hint)

    async def __call__(self, case: Case, passages: tuple[Retrieved, ...], gold: tuple[Gold, ...]) -> float:
        if self._family in _AT_K:
            return _AT_K[self._family](rank(passages, gold), self._k)
        if self._family in _WHOLE:
            return _WHOLE[self._family](rank(passages, gold))
        found = (await self._scorer.score(case, Output(passages=passages), gold)).get(self.name)
        return np.nan if found is None or found.value is None else found.value


def _asked(question: str) -> str:
    """What the system searches for; nothing, and so 0, where it refuses the question."""
    try:
        return checked(question)
    except BadInput:
        return ""


def _retrieved(stored: Mapping[int, StoredPassage], ids: Sequence[int]) -> tuple[Retrieved, ...]:
    found = (stored[passage_id] for passage_id in ids if passage_id in stored)  # one may be gone from the database
    return tuple(Retrieved(at.source, at.passage.text, at.passage.start, at.passage.end) for at in found)

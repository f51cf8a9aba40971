"""How good the passages are that a system retrieved, against gold evidence: metrics at k and within a token budget.

The ranking metrics are those of `ir-measures` on a ranking built so that it means one thing under every cut:

- A passage is *relevant* when it finds a piece of gold by itself or lies half in one (`gold.is_relevant`).
- A piece of gold counts once: its *carrier* is the first passage relevant to it. A passage that carries several pieces
  is one relevant item with the highest of their grades; a piece without carrier is a relevant item that was missed.
  `recall@k`, `ndcg@k` (gain = grade, as trec_eval), `mrr` and `map` rank carriers, so a second passage with the same
  evidence gains nothing. In `precision@k` every relevant passage counts, divided by k.
- Where all gold are whole documents, the ranking is one of documents, each at its best passage, and k counts documents:
  the usual figures of a BEIR collection.

The evidence metrics take the passages together, by characters: `evidence_recall@k` is the share of pieces found
(`gold.is_found`: all of a short piece, half of a longer one), `evidence_coverage@k` the share of gold characters held,
and `passage_efficiency@k` gold characters held over characters sent. `@2000t` takes passages in order up to 2,000
tokens of 4 UTF-8 bytes, the last one cut. The latter two do not apply where gold is a whole document.

Nothing applies to a case without gold. Proved by `tests/unit/evals/test_retrieval_metrics.py` and, against
`ir-measures`, by `tests/oracles/test_retrieval_metrics.py`.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from assay.evals.case import Case
from assay.evals.gold import Spans, extent, held, is_found, is_relevant, is_whole, length, length_of
from assay.evals.output import Output, Retrieved
from assay.evals.scorer import Gold, Instrument, Score
from assay.ledger.values import key_of

TOKEN_BYTES = 4
"""UTF-8 bytes counted as a token: near the mean of English, and the same for every system whatever its tokenizer."""

_VERSION = 2  # counted up whenever a definition changes: cached scores of another version are not used
_RANKED = ("precision", "recall", "ndcg")
_EVIDENCE = ("evidence_recall", "evidence_coverage", "passage_efficiency")

Table = Sequence[Sequence[Spans]]
"""Per passage and piece of gold, what the one holds of the other."""

_DISCOUNTS = tuple(1 / math.log2(rank + 2) for rank in range(1_000))


@dataclass(frozen=True, slots=True)
class Ranking:
    """A ranking as the metrics see it: per rank, `gains` is the grade of what it carries first, and `relevant` whether
    it counts for precision; `missed` are the grades of pieces nothing carried.
    """

    gains: tuple[int, ...]
    relevant: tuple[bool, ...]
    missed: tuple[int, ...]


class RetrievalScorer:
    """Every retrieval metric of a case, at each k and each token budget.

    An output without passages scores 0, as a retriever that found nothing; where `passages_expected` is False it is
    left out, as an answerer that shows none.
    """

    judge: Instrument | None = None

    def __init__(
        self,
        *,
        ks: Sequence[int] = (1, 3, 5, 10),
        token_budgets: Sequence[int] = (2_000,),
        passages_expected: bool = True,
    ) -> None:
        if not ks or min(ks) < 1 or min(token_budgets, default=1) < 1:
            raise ValueError(f"k and token budgets are at least 1, not {list(ks)} and {list(token_budgets)}")
        self._ks, self._budgets = tuple(sorted(set(ks))), tuple(sorted(set(token_budgets)))
        self._passages_expected = passages_expected
        cuts = [*map(str, self._ks), *(f"{budget}t" for budget in self._budgets)]
        self.metrics = (
            *(f"{name}@{k}" for name in _RANKED for k in self._ks),
            "mrr",
            "map",
            *(f"{name}@{cut}" for name in _EVIDENCE for cut in cuts),
        )
        parts = {"version": _VERSION, "ks": self._ks, "budgets": self._budgets, "expected": passages_expected}
        self.digest = key_of("retrieval", parts)

    async def score(self, case: Case, output: Output, gold: tuple[Gold, ...]) -> Mapping[str, Score]:
        """See `Scorer`. `case` is not looked at: everything is in the gold."""
        if not gold or not (output.passages or self._passages_expected):
            return {}
        return {name: Score(value) for name, value in self._values(output.passages, gold)}

    def _values(self, passages: Sequence[Retrieved], gold: Sequence[Gold]) -> Iterator[tuple[str, float]]:
        table = _table(passages, gold)
        ranking = rank(passages, gold, table)
        for k in self._ks:
            yield f"precision@{k}", precision(ranking, k)
            yield f"recall@{k}", recall(ranking, k)
            yield f"ndcg@{k}", ndcg(ranking, k)
        yield "mrr", reciprocal_rank(ranking)
        yield "map", average_precision(ranking)
        for k in self._ks:
            yield from _evidence(passages[:k], gold, table[:k], str(k))
        for budget in self._budgets:
            some = within(passages, budget)
            whole = len(some) - bool(some and some[-1] is not passages[len(some) - 1])
            yield from _evidence(some, gold, [*table[:whole], *_table(some[whole:], gold)], f"{budget}t")


def rank(passages: Sequence[Retrieved], gold: Sequence[Gold], table: Table | None = None) -> Ranking:
    """The ranking of passages, or of documents where all gold are whole documents."""
    table = _table(passages, gold) if table is None else table
    rows = list(zip(passages, table, strict=True))
    if all(is_whole(piece) for piece in gold):
        best: dict[str, tuple[Retrieved, Sequence[Spans]]] = {}
        for row in rows:
            best.setdefault(row[0].document, row)
        rows = list(best.values())
    gains, relevant = [], []
    missing = dict(enumerate(gold))
    for passage, spans in rows:
        found = [number for number, piece in enumerate(gold) if is_relevant(piece, passage, spans[number])]
        gains.append(max((missing.pop(number).grade for number in found if number in missing), default=0))
        relevant.append(bool(found))
    return Ranking(tuple(gains), tuple(relevant), tuple(piece.grade for piece in missing.values()))


def precision(ranking: Ranking, k: int) -> float:
    """Relevant passages among the first k, over k."""
    return sum(ranking.relevant[:k]) / k


def recall(ranking: Ranking, k: int) -> float:
    """Carriers among the first k, over all carriers and missed pieces."""
    return sum(gain > 0 for gain in ranking.gains[:k]) / _total(ranking)


def ndcg(ranking: Ranking, k: int) -> float:
    """Discounted cumulative gain of the first k over that of the best order (Järvelin and Kekäläinen 2002, with the
    gain and the logarithm of trec_eval)."""
    ideal = sorted((*(gain for gain in ranking.gains if gain), *ranking.missed), reverse=True)
    return _discounted(ranking.gains[:k]) / _discounted(ideal[:k])


def reciprocal_rank(ranking: Ranking) -> float:
    """One over the rank of the first carrier; 0 where there is none."""
    return next((1 / place for place, gain in enumerate(ranking.gains, start=1) if gain), 0.0)


def average_precision(ranking: Ranking) -> float:
    """Precision at every carrier, over all carriers and missed pieces."""
    total, carried = 0.0, 0
    for place, gain in enumerate(ranking.gains, start=1):
        if gain:
            carried += 1
            total += carried / place
    return total / _total(ranking)


def within(passages: Sequence[Retrieved], budget: int) -> list[Retrieved]:
    """The first passages that fit into so many tokens; the one that does not is cut where the budget ends."""
    left, taken = budget * TOKEN_BYTES, []
    for passage in passages:
        size = len(passage.text) if passage.text.isascii() else len(passage.text.encode(errors="replace"))
        if size > left:
            text = passage.text.encode(errors="replace")[:left].decode(errors="ignore")
            if text:
                end = None if passage.start is None else passage.start + len(text)
                taken.append(replace(passage, text=text, end=end))
            break
        left -= size
        taken.append(passage)
    return taken


def _table(passages: Sequence[Retrieved], gold: Sequence[Gold]) -> Table:
    """What each passage holds of each piece; of whole documents, nothing."""
    return [[() if is_whole(piece) else held(piece, passage) for piece in gold] for passage in passages]


def _evidence(
    passages: Sequence[Retrieved], gold: Sequence[Gold], table: Table, cut: str
) -> Iterator[tuple[str, float]]:
    found, wholes = 0, False
    held_total = gold_total = unplaced = 0
    places: dict[str, list[tuple[int, int]]] = {}  # of gold held, in the coordinates of its document
    for number, piece in enumerate(gold):
        if is_whole(piece):
            wholes = True
            found += any(is_relevant(piece, passage) for passage in passages)
            continue
        spans = [span for row in table for span in row[number]]
        held_length, size = length_of(spans), length(piece)
        found += is_found(piece, held_length / size)
        held_total += held_length
        gold_total += size
        if piece.start is None:
            unplaced += held_length
        else:
            at = piece.start
            places.setdefault(piece.document, []).extend((at + start, at + end) for start, end in spans)
    yield f"evidence_recall@{cut}", found / len(gold)
    if wholes:
        return
    yield f"evidence_coverage@{cut}", held_total / gold_total
    sent = sum(extent(passage) for passage in passages)
    useful = unplaced + sum(length_of(spans) for spans in places.values())
    yield f"passage_efficiency@{cut}", min(1.0, useful / sent) if sent else 0.0


def _discounted(gains: Sequence[int]) -> float:
    if len(gains) > len(_DISCOUNTS):
        return sum(gain / math.log2(place + 2) for place, gain in enumerate(gains))
    return sum(gain * discount for gain, discount in zip(gains, _DISCOUNTS, strict=False) if gain)


def _total(ranking: Ranking) -> int:
    return sum(gain > 0 for gain in ranking.gains) + len(ranking.missed)

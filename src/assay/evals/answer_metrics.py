"""How good answers are, without a judge: text against references, citations against gold, declining against duty.

What counts where:

- A declined answer is the empty answer. On an answerable case with references it scores 0 in every text metric; on an
  unanswerable one `exact_match` and `token_f1` are 1 where it declined, as SQuAD 2.0 has it; the others do not apply.
- `[n]` markers are taken out of an answer that has citations before it is compared. The best of several references
  counts. Whole quoted sentences score low against short references: `answer_contained` says whether they hold one.
- `citation_precision` is the share of citations that find a piece of gold by themselves or lie half in one
  (`gold.is_relevant`); it does not apply to a declined answer, and is 0 for one without citations. `citation_recall` is
  the share of pieces found (`gold.is_found`) by the characters of all citations together; declining finds none.
- `declined_when_it_should` applies to unanswerable cases, `answered_when_it_could` to answerable ones.

The risk-coverage curve over all answers of a run is `assay.stats.risk_coverage`. Proved by
`tests/unit/evals/test_answer_metrics.py` and `tests/oracles/test_answer_metrics.py`.
"""

import re
from collections.abc import Mapping

from assay.evals.case import Case
from assay.evals.gold import held, is_found, is_relevant, is_whole, length, length_of
from assay.evals.output import Output
from assay.evals.scorer import Gold, Instrument, Score
from assay.evals.similarity import (
    LONGEST,
    best,
    chrf,
    contains,
    exact_match,
    rouge_l,
    rouge_tokens,
    squad_normalised,
    token_f1,
)
from assay.ledger.values import key_of
from assay.models.embedder import Embedder

_VERSION = 2  # counted up whenever a definition changes: cached scores of another version are not used
_MARKER = re.compile(r"\s*\[\d{1,3}(?:\s*[,;]\s*\d{1,3})*\]")


class TextScorer:
    """Exact match, token F1, containment, ROUGE-L and chrF against the reference answers."""

    metrics: tuple[str, ...] = ("exact_match", "token_f1", "answer_contained", "rouge_l", "chrf")
    digest = key_of("text", {"version": _VERSION})
    judge: Instrument | None = None

    async def score(self, case: Case, output: Output, gold: tuple[Gold, ...]) -> Mapping[str, Score]:
        """See `Scorer`."""
        answer = compared(output)
        if not case.answerable:
            return {"exact_match": Score(exact_match(answer, "")), "token_f1": Score(token_f1(answer, ""))}
        if not case.answers:
            return {}
        # As the official script does: a reference that is all articles and punctuation is no reference.
        references = [text for text in case.answers if squad_normalised(text)] or [""]
        scores = {
            "exact_match": Score(best(exact_match, answer, references)),
            "token_f1": Score(best(token_f1, answer, references)),
            "answer_contained": Score(best(contains, answer, references)),
            "chrf": Score(best(chrf, answer, case.answers)),
        }
        if any(rouge_tokens(text) for text in case.answers):
            scores["rouge_l"] = Score(best(rouge_l, answer, case.answers))
        return scores


class EmbeddingSimilarity:
    """Cosine of answer and nearest reference by an embedder; negative cosines count as 0."""

    metrics: tuple[str, ...] = ("embedding_similarity",)
    judge: Instrument | None = None

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.digest = key_of("embedding_similarity", {"version": _VERSION, "embedder": embedder.digest})

    async def score(self, case: Case, output: Output, gold: tuple[Gold, ...]) -> Mapping[str, Score]:
        """See `Scorer`. Raises what the embedder raises."""
        if not case.answerable or not case.answers:
            return {}
        answer = compared(output).strip()
        if not answer:
            return {"embedding_similarity": Score(0.0)}
        vectors = await self._embedder.embed([answer, *case.answers], kind="passage")
        cosine = float((vectors[1:] @ vectors[0]).max())
        return {"embedding_similarity": Score(min(1.0, max(0.0, cosine)))}


class CitationScorer:
    """Citation precision and recall at span level, on cases with gold evidence.

    `citations_expected` False leaves out answers without citations, as of a system that gives none.
    """

    metrics: tuple[str, ...] = ("citation_precision", "citation_recall")
    judge: Instrument | None = None

    def __init__(self, *, citations_expected: bool = True) -> None:
        self._expected = citations_expected
        self.digest = key_of("citations", {"version": _VERSION, "expected": citations_expected})

    async def score(self, case: Case, output: Output, gold: tuple[Gold, ...]) -> Mapping[str, Score]:
        """See `Scorer`. `case` is not looked at: everything is in the gold."""
        citations = dict.fromkeys(output.citations)
        if not gold or not (citations or self._expected):
            return {}
        found = 0
        for piece in gold:
            if is_whole(piece):
                found += any(is_relevant(piece, citation) for citation in citations)
            else:
                spans = [span for citation in citations for span in held(piece, citation)]
                found += is_found(piece, length_of(spans) / length(piece))
        scores = {"citation_recall": Score(0.0 if output.declined else found / len(gold))}
        if not output.declined:
            right = sum(any(is_relevant(piece, citation) for piece in gold) for citation in citations)
            scores["citation_precision"] = Score(right / len(citations) if citations else 0.0)
        return scores


class DeclineScorer:
    """Whether the system declined where the documents hold no answer, and answered where they do."""

    metrics: tuple[str, ...] = ("declined_when_it_should", "answered_when_it_could")
    digest = key_of("decline", {"version": _VERSION})
    judge: Instrument | None = None

    async def score(self, case: Case, output: Output, gold: tuple[Gold, ...]) -> Mapping[str, Score]:
        """See `Scorer`."""
        if case.answerable:
            return {"answered_when_it_could": Score(float(not output.declined))}
        return {"declined_when_it_should": Score(float(output.declined))}


def compared(output: Output) -> str:
    """The answer as text metrics take it: empty where declined, without markers where there are citations."""
    if output.declined:
        return ""
    text = output.text[:LONGEST]
    return _MARKER.sub("", text) if output.citations else text

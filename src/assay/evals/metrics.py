"""Metrics by name: which scorer gives them, and which are meant by `auto`.

Formulas come in groups, because one pass over a case gives a whole group; a judge gives one metric and is made only
when it is named.
"""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from assay.errors import BadSetting
from assay.evals.answer_metrics import CitationScorer, DeclineScorer, EmbeddingSimilarity, TextScorer
from assay.evals.case import Case
from assay.evals.judges.geval import GEval
from assay.evals.judges.opponent import Opponent, references
from assay.evals.judges.pairwise import Against, Pairwise
from assay.evals.judges.ragas import AnswerRelevancy, ContextPrecision, ContextRecall, Faithfulness
from assay.evals.judges.rubric import Rubric
from assay.evals.retrieval_metrics import RetrievalScorer
from assay.evals.scorer import Scorer
from assay.models.chat import ChatModel
from assay.models.embedder import Embedder

JUDGED: dict[str, str] = {
    "faithfulness": "statements of the answer that the passages support",
    "answer_relevancy": "whether the answer answers the question asked",
    "context_precision": "useful passages first, judged against the reference answer",
    "context_utilization": "useful passages first, judged against the answer given",
    "context_recall": "statements of the reference answer that the passages hold",
    "g_eval": "a form of steps, scored by the model's own probabilities",
    "rubric": "levels described in words",
    "pairwise": "whether the answer is better than an earlier run's (--against) or the reference; 0.5 is a tie",
}
"""Metrics that need a judge, and what each says in a line."""

RIGHT_OR_WRONG = frozenset({"exact_match", "answer_contained", "declined_when_it_should", "answered_when_it_could"})
"""Metrics that give 0 or 1 and nothing between."""

NEEDS_ANSWERS = frozenset(
    {"exact_match", "token_f1", "answer_contained", "rouge_l", "chrf", "embedding_similarity", "context_recall"}
)
"""Metrics that say nothing of a case without reference answers."""

EMBEDDED: dict[str, str] = {"embedding_similarity": "cosine of answer and reference"}
"""Metrics that need the embedder."""

MEANINGS: dict[str, str] = {
    "precision": "share of the first k passages that hold evidence",
    "recall": "share of evidence whose passages are among the first k",
    "ndcg": "evidence near the top, discounted by rank",
    "mrr": "one over the rank of the first passage that holds evidence",
    "map": "mean precision over the ranks that hold evidence",
    "evidence_recall": "share of evidence pieces found in the first k passages, or within so many tokens (2000t)",
    "evidence_coverage": "share of evidence characters found there",
    "passage_efficiency": "evidence characters over characters sent",
    "exact_match": "the answer equals a reference after SQuAD's normalisation",
    "token_f1": "words shared with the best reference, SQuAD's F1",
    "answer_contained": "a reference stands in the answer",
    "rouge_l": "longest common subsequence of words with the best reference, F1",
    "chrf": "character n-grams shared with the best reference, F2",
    "citation_precision": "share of citations that lie in evidence",
    "citation_recall": "share of evidence pieces that are cited",
    "declined_when_it_should": "unanswerable questions declined",
    "answered_when_it_could": "answerable questions answered",
    "aurc": "mean risk over all shares of questions answered, most confident first; lower is better",
}
"""What each formula says, by the name before the @."""

HEADLINE = (
    "exact_match",
    "token_f1",
    "answer_contained",
    "rouge_l",
    "chrf",
    "evidence_recall@5",
    "ndcg@10",
    "mrr",
    "passage_efficiency@5",
    "citation_precision",
    "citation_recall",
    "declined_when_it_should",
    "answered_when_it_could",
    "aurc",
    *EMBEDDED,
    *JUDGED,
)
"""What a terminal shows first; everything else is in the report and in --json."""


@dataclass(frozen=True, slots=True)
class Instruments:
    """What scorers may use; called only where a metric that needs it was named.

    `opponent` is whom pairwise judges against; None: the reference answers.
    """

    judge: Callable[[], ChatModel]
    embedder: Callable[[], Embedder]
    criterion: str = ""
    opponent: Opponent | None = None


def scorers_for(
    named: str,
    *,
    kind: Literal["answerer", "retriever"],
    cases: Sequence[Case],
    instruments: Instruments,
    shows_sources: bool = False,
) -> tuple[list[Scorer], tuple[str, ...] | None]:
    """Scorers for metrics `named` by comma (or `auto`), and the names to show (None: all).

    `shows_sources` of a system that always gives passages and citations: where it gives none it found nothing. Of
    another such an answer says nothing about its retrieval, so those metrics do not apply.
    Raises BadSetting for a name nobody knows.
    """
    wanted = [name.strip() for name in named.split(",") if name.strip()]
    formulas = _formulas(kind, cases, shows_sources=shows_sources)
    if not wanted:
        raise BadSetting("No metric is named.", hint="Name some by comma, or auto: --metrics auto")
    if wanted == ["auto"]:
        return formulas, None
    known = [metric for scorer in formulas for metric in scorer.metrics] + ["auto", "aurc", *EMBEDDED, *JUDGED]
    if kind == "retriever":  # it gives no answers that could be compared or be sure of
        known = [name for name in known if name not in ("pairwise", "aurc")]
    for name in wanted:
        if name not in known:
            if name in RetrievalScorer().metrics:
                raise BadSetting(f"{name} needs evidence, and no case names any.", hint="Add it, or leave it out.")
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
            raise BadSetting(
                f"There is no metric {name!r} for {kind}s.",
                hint=f"Did you mean {near[0]}?" if near else "Run `assay eval --list-metrics` to see them.",
            )
    chosen = [s for s in formulas if "auto" in wanted or "aurc" in wanted or set(s.metrics) & set(wanted)]
    for name in dict.fromkeys(wanted):
        if name in EMBEDDED:
            chosen.append(EmbeddingSimilarity(instruments.embedder()))
        elif name == "pairwise":
            opponent = instruments.opponent or references(cases)
            chosen.append(Against(Pairwise(instruments.judge()), opponent))
        elif name in JUDGED:
            model, embedder = instruments.judge(), None
            if name == "answer_relevancy":
                embedder = instruments.embedder()
            chosen.append(judge_for(name, model=model, embedder=embedder, criterion=instruments.criterion))
    return chosen, None if "auto" in wanted else tuple(wanted)


def described() -> list[tuple[str, str, str]]:
    """(name, what it needs, what it says) of every metric, for people."""
    rows = [(name, "", MEANINGS.get(name.split("@")[0], "")) for name in _names_of_formulas()]
    rows += [(name, "embedder", what) for name, what in EMBEDDED.items()]
    return rows + [(name, "judge", what) for name, what in JUDGED.items()]


def _names_of_formulas() -> list[str]:
    scorers: list[Scorer] = [RetrievalScorer(), TextScorer(), CitationScorer(), DeclineScorer()]
    return [*dict.fromkeys(metric for scorer in scorers for metric in scorer.metrics), "aurc"]


def _formulas(kind: str, cases: Sequence[Case], *, shows_sources: bool) -> list[Scorer]:
    scorers: list[Scorer] = []
    if any(case.evidence for case in cases):
        scorers.append(RetrievalScorer(passages_expected=shows_sources or kind == "retriever"))
    if kind == "answerer":
        scorers += [TextScorer(), CitationScorer(citations_expected=shows_sources), DeclineScorer()]
    return scorers


def judge_for(name: str, *, model: ChatModel, embedder: Embedder | None, criterion: str) -> Scorer:
    """The judge of a metric. `embedder` is for answer_relevancy, `criterion` for g_eval. Raises ValueError."""
    if name == "answer_relevancy" and embedder is not None:
        return AnswerRelevancy(model, embedder)
    makers: dict[str, Callable[[], Scorer]] = {
        "faithfulness": lambda: Faithfulness(model),
        "context_precision": lambda: ContextPrecision(model),
        "context_utilization": lambda: ContextPrecision(model, against="answer"),
        "context_recall": lambda: ContextRecall(model),
        "g_eval": lambda: GEval(model, criterion=criterion),
        "rubric": lambda: Rubric(model),
    }
    if name not in makers:
        raise ValueError(f"there is no judge for {name}")
    return makers[name]()

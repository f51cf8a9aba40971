"""Do the passages hold an answer? A probability, and where it is too low, a reason to give.

The probability is a logistic regression over signals of the best sentence and of the passages as a
whole, learned on questions whose passages are known to hold an answer or not, and set for a user three of
whose four questions the documents can answer. Being on the topic is not enough: what tells is whether
one sentence takes up every part of the question at once.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from assay.answers.candidates import Signals
from assay.answers.question import Question
from assay.answers.quote import weight_set
from assay.answers.weights import table
from assay.answers.words import STOP_WORDS, stem, stems, words
from assay.index.hit import Hit

_OF_BEST = (
    "covers",
    "covers_with_before",
    "passage_covers",
    "pairs",
    "names",
    "numbers",
    "lexical",
    "dense",
    "new",
    "short",
    "is_question",
    "opens",
    "tokens",
    "tokens_meaning",
    "tokens_least",
    "cosine_in_context",
    "cosine",
)
_HIGHEST = ("covers", "passage_covers", "dense", "tokens", "tokens_meaning", "cosine_in_context", "cosine")


def confidence(signals: Signals, scores: NDArray[np.float64]) -> float:
    """The estimated probability that the passages hold an answer, in [0, 1]; 0 where there is no sentence."""
    if not signals.candidates:
        return 0.0
    evidence = evidence_of(signals, scores)
    weights = table("confidence", weight_set(signals))
    log_odds = weights.get("bias", 0.0) + sum(weights.get(name, 0.0) * value for name, value in evidence.items())
    return 1 / (1 + math.exp(-max(-50.0, min(50.0, log_odds))))


def evidence_of(signals: Signals, scores: NDArray[np.float64]) -> Mapping[str, float]:
    """What the probability is made from, by name."""
    order = np.argsort(-scores, kind="stable")
    best = int(order[0])
    evidence = {f"best_{name}": float(signals.column(name)[best]) for name in _OF_BEST if name in signals.names}
    evidence |= {f"top_{name}": float(signals.column(name).max()) for name in _HIGHEST if name in signals.names}
    evidence["score"] = float(scores[best])
    evidence["margin"] = float(scores[best] - scores[order[1]]) if len(order) > 1 else 0.0
    cosines = sorted((_dense(hit) for hit in signals.hits), reverse=True)
    evidence["dense_gap"] = cosines[0] - cosines[1] if len(cosines) > 1 else 0.0
    words_found = sorted((hit.signals.get("lexical", 0.0) for hit in signals.hits), reverse=True)
    evidence["lexical_gap"] = 1 - words_found[1] / words_found[0] if len(words_found) > 1 and words_found[0] else 0.0
    nearest = max(range(len(signals.hits)), key=lambda i: _dense(signals.hits[i]))
    evidence["agree"] = float(signals.candidates[best].rank == nearest)
    evidence["question_length"] = math.log1p(len(signals.question.terms))
    evidence["not_a_question"] = float(signals.question.kind == "other")
    evidence["mark"] = _mark(signals, best)
    return evidence


def reason(question: Question, hits: Sequence[Hit]) -> str:
    """Why there is no answer, in a sentence a user can act on."""
    if not hits:
        return "There are no documents to answer from. Ingest some first."
    found = frozenset(stems(" ".join(f"{hit.title} {hit.passage.heading} {hit.passage.text}" for hit in hits)))
    missing = list(
        dict.fromkeys(w for w in words(question.text) if w.lower() not in STOP_WORDS and stem(w) not in found)
    )
    if missing:
        named = ", ".join(f"“{word}”" for word in missing[:3])
        return f"The documents do not seem to answer this: none of the nearest passages mentions {named}."
    return "The nearest passages are on this topic, but no sentence in them answers the question."


def _dense(hit: Hit) -> float:
    return hit.signals.get("dense", 0.0)


def _mark(signals: Signals, best: int) -> float:
    """1 where the best sentence holds the kind of thing asked for, 0 where not, one half where any thing would do."""
    kind = signals.question.kind
    column = {"number": "number", "date": "date", "person": "person", "place": "place", "reason": "reason"}.get(kind)
    return float(signals.column(column)[best] > 0) if column else 0.5

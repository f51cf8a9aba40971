"""Choose the sentences that answer a question: verbatim, best first, no two that say the same."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from assay.answers.candidates import Candidate, Signals
from assay.answers.weights import WeightSet, table, weighted_sum

_SAME = 0.8
"""Sentences that share this share of their stems say the same."""


def sentence_scores(signals: Signals) -> NDArray[np.float64]:
    """How well each candidate answers, as a log-odds: `exp` of a difference says how much likelier one is."""
    return weighted_sum(signals.values, signals.names, table("sentence", weight_set(signals)))


def weight_set(signals: Signals) -> WeightSet:
    """Which weights these signals go with."""
    return "tokens" if "tokens" in signals.names else "sentences"


def best_sentences(signals: Signals, scores: NDArray[np.float64], *, most: int) -> list[Candidate]:
    """Up to `most` sentences, best first, leaving out what only repeats a better one."""
    chosen: list[Candidate] = []
    for i in np.argsort(-scores, kind="stable"):
        candidate = signals.candidates[int(i)]
        if not any(_same(candidate, other) for other in chosen):
            chosen.append(candidate)
            if len(chosen) == most:
                break
    return chosen


def quoted_text(sentences: Sequence[Candidate], *, phrase: str = "") -> str:
    """The sentences verbatim, each followed by its marker, behind the phrase where there is one."""
    quotes = " ".join(f"{sentence.text} [{number}]" for number, sentence in enumerate(sentences, start=1))
    return f"{phrase}: {quotes}" if phrase else quotes


def _same(one: Candidate, other: Candidate) -> bool:
    either = one.stems | other.stems
    return not either or len(one.stems & other.stems) >= _SAME * len(either)

"""Choose the sentences that answer a question: verbatim, best first, no two that say the same, none far behind.

What a further sentence is worth is how likely it answers beside the best one: `_LEAST` was chosen on the tuning half
of XQuAD, where it drops one second sentence in four, half of those from another article, and none that held the answer.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from assay.answers.candidates import Candidate, Signals
from assay.answers.weights import WeightSet, table, weighted_sum

_SAME = 0.8
"""Sentences that share this share of their stems say the same."""

_LEAST = 1 / 50
"""A further sentence must be at least this likely to answer, where the best one is 1."""


def sentence_scores(signals: Signals) -> NDArray[np.float64]:
    """How well each candidate answers, as a log-odds: `exp` of a difference says how much likelier one is."""
    return weighted_sum(signals.values, signals.names, table("sentence", weight_set(signals)))


def weight_set(signals: Signals) -> WeightSet:
    """Which weights these signals go with."""
    return "tokens" if "tokens" in signals.names else "sentences"


def best_sentences(signals: Signals, scores: NDArray[np.float64], *, most: int) -> list[Candidate]:
    """Up to `most` sentences, best first, without those that repeat a better one or are far less likely to answer."""
    chosen: list[Candidate] = []
    for i in np.argsort(-scores, kind="stable"):
        if scores[i] < scores.max() + math.log(_LEAST):
            break
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

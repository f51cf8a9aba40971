"""Learn the weights of the answers room and write `src/assay/answers/weights.json`.

Only the tuning halves of XQuAD, CLAPNQ and the handbook are used: answerable questions for the order of sentences,
all of them for the probability of an answer, every answerable one also with its gold document out of sight.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import corpora
import numpy as np
from collect import cached
from fitting import fit_logistic, fit_ranking
from numpy.typing import NDArray

from assay.answers.decline import evidence_of

WEIGHTS = corpora.ROOT / "src" / "assay" / "answers" / "weights.json"
L2_SENTENCE = 10.0
L2_CONFIDENCE = 30.0
# How much one row of each corpus counts for the probability: the small and hard ones more.
CASE_WEIGHTS = {"xquad-en": 1.0, "clapnq": 4.0, "clapnq-untitled": 4.0, "handbook": 8.0}
PRIOR = 2 / 3
"""The share of a user's questions that the documents can answer, which probabilities are set for."""


def right(row: corpora.Row, corpus: str) -> NDArray[np.bool_]:
    """Which candidates answer the question: in the gold document, holding or being the gold."""
    test = corpora.holds if corpus.startswith("xquad") else corpora.among
    return np.array(
        [c.hit.source == row.asked.document and test(c.text, row.asked.golds) for c in row.signals.candidates],
        dtype=bool,
    )


def matrix(
    rows: Sequence[corpora.Row], names: Sequence[str], scores: Sequence[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Evidence of each row, columns in the order of `names`."""
    evidence = [evidence_of(row.signals, score, row.hits) for row, score in zip(rows, scores, strict=True)]
    return np.array([[item[name] for name in names] for item in evidence])


def ranking_weights(corpus_rows: dict[str, list[corpora.Row]]) -> dict[str, float]:
    """Weights of the signals of a sentence."""
    groups, names = [], ()
    for corpus in ("xquad-en", "clapnq", "handbook"):
        for row in corpus_rows.get(corpus, []):
            good = right(row, corpus)
            if row.asked.answerable and not row.without_gold and good.any():
                groups.append((row.signals.values, good))
                names = row.signals.names
    weights = fit_ranking(groups, l2=L2_SENTENCE)
    return {name: round(float(weight), 5) for name, weight in zip(names, weights, strict=True)}


def confidence_weights(corpus_rows: dict[str, list[corpora.Row]], ranking: dict[str, float]) -> dict[str, float]:
    """Weights of the evidence for an answer, `bias` included."""
    rows, labels, counts, scores = [], [], [], []
    for corpus, found in corpus_rows.items():
        for row in found:
            if row.signals.candidates:
                rows.append(row)
                # An answer the retrieval did not find cannot be given: declining is right.
                there = row.asked.answerable and not row.without_gold and right(row, corpus).any()
                labels.append(float(there))
                counts.append(CASE_WEIGHTS[corpus])
                scores.append(row.signals.values @ np.array([ranking[name] for name in row.signals.names]))
    names = list(evidence_of(rows[0].signals, scores[0]))
    weights = fit_logistic(
        matrix(rows, names, scores), np.array(labels), l2=L2_CONFIDENCE, case_weights=np.array(counts)
    )
    answered = float(np.average(labels, weights=counts))
    weights[-1] += np.log(PRIOR / (1 - PRIOR)) - np.log(answered / (1 - answered))
    return {name: round(float(weight), 5) for name, weight in zip([*names, "bias"], weights, strict=True)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True, help="folder for collected signals")
    parser.add_argument("--write", action="store_true", help=f"write {WEIGHTS.relative_to(corpora.ROOT)}")
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    weights: dict[str, dict[str, dict[str, float]]] = {"sentence": {}, "confidence": {}}
    for which in ("tokens", "sentences"):
        rows = {
            name: [row for row in cached(name, arguments.cache, tokens=which == "tokens") if row.asked.tune]
            for name in CASE_WEIGHTS
        }
        weights["sentence"][which] = ranking_weights(rows)
        weights["confidence"][which] = confidence_weights(rows, weights["sentence"][which])
    text = json.dumps(weights, indent=2) + "\n"
    if arguments.write:
        WEIGHTS.write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()

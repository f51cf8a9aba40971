"""Learn the weights of the answers room and write `src/assay/answers/weights.json`.

Only the tuning halves of XQuAD and CLAPNQ are used; the handbook never, so that the demo's score is one on questions
nothing was tuned on: answerable questions for the order of sentences,
all of them for the probability of an answer, every answerable one also with its gold document out of sight.
"""

import argparse
import json
from collections.abc import Callable
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
CASE_WEIGHTS = {"xquad-en": 1.0, "clapnq": 2.5, "clapnq-untitled": 2.5}
ORDERED_BY = ("xquad-en", "clapnq")
PRIOR = 3 / 4
"""The share of a user's questions that the documents can answer, which probabilities are set for."""

Rows = dict[str, list[corpora.Row]]
Table = dict[str, float]


def rows_of(name: str, cache: Path, *, which: str) -> list[corpora.Row]:
    """Rows that hold a sentence at all."""
    return [row for row in cached(name, cache, tokens=which == "tokens") if row.signals.candidates]


def right(row: corpora.Row, corpus: str) -> NDArray[np.bool_]:
    """Which candidates answer the question: in the gold document, holding the gold or being it."""
    test = corpora.holds if corpus.startswith("xquad") else corpora.among
    gold = row.asked.document
    return np.array(
        [c.hit.source == gold and test(c.text, row.asked.golds) for c in row.signals.candidates], dtype=bool
    )


def can_be_answered(row: corpora.Row, corpus: str) -> bool:
    """Whether an answer is in sight. One that retrieval did not find cannot be given: declining is right."""
    return row.asked.answerable and not row.without_gold and bool(right(row, corpus).any())


def ranking_weights(rows: Rows) -> Table:
    """Weights of the signals of a sentence."""
    chosen = [(row, corpus) for corpus in ORDERED_BY for row in rows[corpus] if can_be_answered(row, corpus)]
    weights = fit_ranking([(row.signals.values, right(row, corpus)) for row, corpus in chosen], l2=L2_SENTENCE)
    # A question answers nothing. The corpora hold too few to learn it; the user's pages of questions are full of them.
    return _named(chosen[0][0].signals.names, weights) | {"is_question": -20.0}


def confidence_weights(rows: Rows, ranking: Table) -> Table:
    """Weights of the evidence for an answer, `bias` included."""
    evidence = [evidence_of(row.signals, _scores(row, ranking)) for found in rows.values() for row in found]
    labels = np.array([can_be_answered(row, corpus) for corpus, found in rows.items() for row in found], dtype=float)
    counts = np.array([CASE_WEIGHTS[corpus] for corpus, found in rows.items() for _ in found])
    names = list(evidence[0])
    matrix = np.array([[item[name] for name in names] for item in evidence])
    weights = fit_logistic(matrix, labels, l2=L2_CONFIDENCE, case_weights=counts)
    answered = float(np.average(labels, weights=counts))
    weights[-1] += np.log(PRIOR / (1 - PRIOR)) - np.log(answered / (1 - answered))
    return _named((*names, "bias"), weights)


def confidence_table(rows: Rows, ranking: Table) -> Callable[[corpora.Row], float]:
    """A function from a row to its log-odds, fitted on `rows`."""
    weights = confidence_weights(rows, ranking)

    def log_odds(row: corpora.Row) -> float:
        evidence = evidence_of(row.signals, _scores(row, ranking))
        return weights["bias"] + sum(weights[name] * value for name, value in evidence.items())

    return log_odds


def _scores(row: corpora.Row, ranking: Table) -> NDArray[np.float64]:
    return row.signals.values @ np.array([ranking[name] for name in row.signals.names])


def _named(names: tuple[str, ...], weights: NDArray[np.float64]) -> Table:
    return {name: round(float(weight), 5) for name, weight in zip(names, weights, strict=True)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True, help="folder for collected signals")
    parser.add_argument("--write", action="store_true", help=f"write {WEIGHTS.relative_to(corpora.ROOT)}")
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    weights: dict[str, dict[str, Table]] = {"sentence": {}, "confidence": {}}
    for which in ("tokens", "sentences"):
        rows = {
            name: [row for row in rows_of(name, arguments.cache, which=which) if row.asked.tune]
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

"""CLAPNQ: does the assistant decline where the passages hold no answer? Prints JSON.

300 answerable and 300 unanswerable questions over the passages of all 600. Weights come from the tuning half;
`--cross-fit` refits them ten times on nine tenths of all titles and scores the tenth, from collected signals.
"""

import argparse
import asyncio
import json
from pathlib import Path

import corpora
import numpy as np
from answering import Result, answered, p50_ms, share, verbatim
from fitting import auroc, folds
from numpy.typing import NDArray

from assay.answers.settings import AnswerSettings


def risk_coverage(answerable: NDArray[np.bool_], confidence: NDArray[np.float64]) -> list[dict[str, float]]:
    """Answering the most confident share of all questions: which share of those answered could not be answered."""
    order = np.argsort(-confidence, kind="stable")
    curve = []
    for coverage in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0):
        taken = order[: max(1, round(coverage * len(order)))]
        curve.append(
            {
                "coverage": coverage,
                "risk": round(float(1 - answerable[taken].mean()), 4),
                "threshold": round(float(confidence[taken].min()), 4),
            }
        )
    return curve


def figures(results: list[Result]) -> dict[str, object]:
    answerable = np.array([result.asked.answerable for result in results])
    confidence = np.array([result.outcome.confidence for result in results])
    declined = np.array([result.outcome.kind == "declined" for result in results])
    right = [
        any(c.document == r.asked.document and corpora.among(c.quote, r.asked.golds) for c in r.outcome.citations)
        for r in results
        if r.asked.answerable and r.outcome.kind == "answer"
    ]
    return {
        "questions": len(results),
        "auroc": round(auroc(answerable, confidence), 4),
        "answerable_declined": share(declined[answerable]),
        "unanswerable_declined": share(declined[~answerable]),
        "answered_with_a_gold_sentence": share(right),
        "risk_coverage": risk_coverage(answerable, confidence),
    }


def cross_fitted(cache: Path) -> dict[str, object]:
    """AUROC over all 600 when each tenth of the titles is scored by weights that never saw it."""
    from train import CASE_WEIGHTS, confidence_table, ranking_weights, rows_of

    rows = {name: rows_of(name, cache, which="tokens") for name in CASE_WEIGHTS}
    of = {name: folds([row.asked.cluster for row in rows[name]], count=10) for name in ("clapnq", "clapnq-untitled")}
    tuned = {name: [row for row in found if row.asked.tune] for name, found in rows.items()}
    scores = np.zeros(len(rows["clapnq"]))
    for fold in range(10):
        held_in = {
            name: [row for row, place in zip(rows[name], of[name], strict=True) if place != fold]
            if name in of
            else found
            for name, found in tuned.items()
        }
        score = confidence_table(held_in, ranking_weights(held_in))
        for i in np.flatnonzero(of["clapnq"] == fold):
            scores[i] = score(rows["clapnq"][i])
    asked = np.array([not row.without_gold for row in rows["clapnq"]])
    answerable = np.array([row.asked.answerable for row in rows["clapnq"]])
    return {
        "auroc": round(auroc(answerable[asked], scores[asked]), 4),
        "risk_coverage": risk_coverage(answerable[asked], scores[asked]),
    }


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--half", choices=["tune", "report", "all"], default="report")
    parser.add_argument("--untitled", action="store_true", help="leave the documents' titles out")
    parser.add_argument(
        "--cross-fit", type=Path, metavar="CACHE", help="also cross-fit, with signals collected in CACHE"
    )
    arguments = parser.parse_args()
    corpus = corpora.clapnq(titles=not arguments.untitled)
    asked = [a for a in corpus.asked if arguments.half == "all" or a.tune == (arguments.half == "tune")]
    results = await answered(corpus, asked, settings=AnswerSettings())
    report: dict[str, object] = {"set": corpus.name, "half": arguments.half, **figures(results)}
    report |= {"every_citation_verbatim": verbatim(corpus, results), "p50_ms": p50_ms(results)}
    if arguments.cross_fit:
        report["all_600_cross_fitted"] = cross_fitted(arguments.cross_fit)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    asyncio.run(main())

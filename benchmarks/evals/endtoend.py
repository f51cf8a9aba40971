"""XQuAD and CLAPNQ end to end with the embedded models. Cases are made in code: XQuAD's evidence is the first match.

    python benchmarks/evals/endtoend.py xquad clapnq

Both sets whole and their reporting halves, which no weight of the answers was tuned on, with intervals over articles.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks" / "answers"))

import corpora  # noqa: E402

from assay.app.evaluating import evaluation  # noqa: E402
from assay.app.measuring import Chosen, measuring  # noqa: E402
from assay.app.settings import load_settings  # noqa: E402
from assay.app.wiring import open_workspace  # noqa: E402
from assay.evals.case import Case, Evidence  # noqa: E402

SHOWN = (
    "exact_match",
    "token_f1",
    "answer_contained",
    "evidence_recall@5",
    "citation_precision",
    "citation_recall",
    "declined_when_it_should",
    "answered_when_it_could",
    "rouge_l",
    "aurc",
)


def cases_of(corpus: corpora.Corpus) -> list[Case]:
    """A benchmark corpus as cases; the reporting half is tagged."""
    answers = clapnq_answers() if corpus.name.startswith("clapnq") else {}
    found = []
    for asked in corpus.asked:
        evidence = tuple(Evidence(asked.document, quote) for quote in asked.golds) if asked.answerable else ()
        case = Case(
            id=asked.id,
            question=asked.question,
            answers=(answers.get(asked.id) or asked.golds) if asked.answerable else (),
            evidence=evidence,
            answerable=asked.answerable,
            tags=("tune" if asked.tune else "report",),
            cluster=asked.cluster,
        )
        # XQuAD's golds are strings of the answer; all of them stand in one place of the paragraph.
        found.append(replace(case, evidence=case.evidence[:1]) if corpus.name.startswith("xquad") else case)
    return found


def clapnq_answers() -> dict[str, tuple[str, ...]]:
    """The answers people wrote, by question."""
    rows = (corpora.DATA / "qa" / "clapnq" / "clapnq_dev_answerable.jsonl").read_text("utf-8").splitlines()
    return {
        row["id"]: tuple(output["answer"] for output in row["output"] if output.get("answer"))
        for row in map(json.loads, rows)
    }


async def measure(corpus: corpora.Corpus, settings: dict[str, Any]) -> dict[str, Any]:
    cases = cases_of(corpus)
    in_force = load_settings(environ={}, flags=settings)
    shapes = {}
    with tempfile.TemporaryDirectory() as scratch:
        async with open_workspace(in_force, home=Path(scratch)) as workspace, measuring(workspace) as opened:
            await workspace.ingest_documents(corpus.documents, collection=corpus.name)
            halves: dict[str, Sequence[Case]] = {
                "all": cases,
                "reporting half": [case for case in cases if "report" in case.tags],
            }
            for name, some in halves.items():
                digest = opened.cases.save(f"{corpus.name} {name}", some, "benchmark")
                async with evaluation(opened, Chosen(name, digest, some), in_force) as ready:
                    record, board = await ready.run()
                metrics = board.as_json()["metrics"]
                shapes[name] = {
                    "cases": len(some),
                    "seconds": round((record.finished_ns - record.created_ns) / 1e9, 1),
                    "paid_calls": record.paid_calls,
                    **{metric: _figure(metrics[metric]) for metric in SHOWN if metric in metrics},
                }
    return shapes


def _figure(metric: dict[str, Any]) -> str:
    if metric["method"] == "none":
        return f"{metric['value']:.3f} (n {metric['n']})"
    return f"{metric['value']:.3f} ({metric['low']:.3f}-{metric['high']:.3f}, n {metric['n']})"


async def main(names: Sequence[str], settings: dict[str, Any]) -> None:
    made = {"xquad": corpora.xquad, "clapnq": corpora.clapnq}
    for name in names:
        print(json.dumps({name: await measure(made[name](), settings)}, indent=2), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=["xquad", "clapnq"])
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    asyncio.run(main(arguments.names, dict(text.split("=", 1) for text in arguments.set)))

"""SummEval consistency: judges that need no key against three experts (Fabbri et al. 2021, TACL 9:391).

A summary is good where all three experts found no inconsistency (score 5). Thresholds are tuned on half of the articles
(the best phi), figures are of the other half; intervals resample whole articles. Prints a table and, with --json, all.

    python benchmarks/evals/judges_summeval.py [--model 200] [--steps 100] [--threads 0] [--json FILE]

--model N: how many summaries the embedded model answers yes or no on; --steps N: how many it judges by G-Eval. Both
cost a second or more each, so these judges are tuned on half as many.
"""

import argparse
import asyncio
import json
import math
import os
import re
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from assay.errors import BadInput
from assay.evals.case import Case
from assay.evals.judges.check import check
from assay.evals.judges.geval import GEval
from assay.evals.judges.labels import Label
from assay.evals.judges.report import Report
from assay.evals.output import Output, Retrieved
from assay.models.chat import ChatRequest, Message
from assay.models.llama import EmbeddedChat
from assay.models.minilm import MiniLMEmbedder
from assay.models.prompt import fenced
from assay.stats.agreement import confusion, phi

DATA = Path(os.environ.get("ASSAY_DATA", "../shared/data")) / "judge" / "summeval" / "summeval_1600.jsonl"
SENTENCE = re.compile(r"(?<=[.!?])\s+")
WORD = re.compile(r"\w+")
STEPS = (
    "Find every claim the answer makes.",
    "Look for each claim in the passage; a claim the passage does not make, or contradicts, is an error.",
    "No error gives the highest score, one small error a middle one, an invented main point the lowest.",
)
QUESTION = "Does the text say everything that the summary says? Answer yes or no."

Row = dict[str, Any]
Judge = Callable[[Row], Awaitable[float | None]]


def rows() -> list[Row]:
    if not DATA.exists():
        sys.exit(f"skipped: {DATA} is not there (set ASSAY_DATA)")
    return [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]


def words(text: str) -> list[str]:
    return WORD.findall(text.lower())


def lexical(size: int) -> Judge:
    """The share of the summary's runs of `size` words that stand in the article: ROUGE's precision."""

    async def judge(row: Row) -> float:
        source, summary = words(row["src"]), words(row["summary"])
        there = {tuple(source[i : i + size]) for i in range(len(source))}
        grams = [tuple(summary[i : i + size]) for i in range(len(summary) - size + 1)]
        return sum(gram in there for gram in grams) / len(grams) if grams else 0.0

    return judge


def nearest(embedder: MiniLMEmbedder) -> Judge:
    """The summary sentence that is farthest from every sentence and pair of sentences of the article."""
    known: dict[str, Any] = {}

    async def vectors(texts: list[str]) -> Any:
        if new := [text for text in dict.fromkeys(texts) if text not in known]:
            known.update(zip(new, await embedder.embed(new), strict=True))
        return np.array([known[text] for text in texts])

    async def judge(row: Row) -> float:
        source = [s for s in SENTENCE.split(row["src"]) if s.strip()]
        source += [f"{a} {b}" for a, b in pairwise(source)]
        summary = [s for s in SENTENCE.split(row["summary"]) if s.strip()]
        cosines = await vectors(summary) @ (await vectors(source)).T
        return float(np.clip(cosines.max(axis=1).min(), 0, 1))

    return judge


def says_yes(model: EmbeddedChat) -> Judge:
    """The model's odds of "yes" against "no" as the first word of its answer."""

    async def judge(row: Row) -> float | None:
        text = fenced([("text", row["src"]), ("summary", row["summary"])])
        messages = (Message("user", f"{text}\n\n{QUESTION}"),)
        try:
            completion = await model.complete(ChatRequest(messages, max_tokens=1, top_logprobs=50))
        except BadInput:  # an article longer than the window
            return None
        weight = {"yes": 0.0, "no": 0.0}
        for token, logprob in completion.logprobs[0].top if completion.logprobs else ():
            word = token.strip().lower()
            if word in weight:
                weight[word] += math.exp(logprob)
        total = sum(weight.values())
        return weight["yes"] / total if total else None

    return judge


def by_steps(model: EmbeddedChat) -> Judge:
    judge_of = GEval(model, steps=STEPS, shown=("passage", "answer"))

    async def judge(row: Row) -> float | None:
        case, output = (
            Case("s", "Summarise the passage."),
            Output(row["summary"], passages=(Retrieved("", row["src"]),)),
        )
        return (await judge_of.score(case, output, ()))["g_eval"].value

    return judge


def is_good(row: Row) -> float:
    return float(row["scores"]["consistency"] > 4.99)


async def judged(judge: Judge, some: Sequence[Row]) -> tuple[list[Label], float]:
    started, labels = time.perf_counter(), []
    for row in some:
        score = await judge(row)
        labels.append(
            Label(
                f"{row['doc_id']}/{row['system']}",
                (row["scores"]["consistency"] - 1) / 4,
                score=score,
                error="" if score is not None else "no verdict",
                cluster=row["doc_id"],
                length=float(len(row["summary"])),
            )
        )
    return labels, (time.perf_counter() - started) / max(len(some), 1)


def best_threshold(labels: Sequence[Label]) -> float:
    """The score from which on a verdict of good gives the highest phi on these labels."""
    found = [label for label in labels if label.score is not None]
    scores, truth = np.array([label.score for label in found]), np.array([label.label > 0.999 for label in found])
    cuts = np.unique(np.quantile(scores, np.linspace(0.02, 0.98, 49)))
    return float(max(cuts, key=lambda cut: phi(confusion(scores >= cut, truth))))


def sample(some: list[Row], count: int) -> list[Row]:
    """About as many, of every article alike; an article's stand together, so that a model reads it once."""
    if count >= len(some):
        return some
    articles = list(dict.fromkeys(row["doc_id"] for row in some))
    each, rng, chosen = max(1, round(count / len(articles))), np.random.default_rng(0), list[Row]()
    for article in articles[: max(1, round(count / each))]:
        mine = [row for row in some if row["doc_id"] == article]
        chosen += [mine[i] for i in rng.permutation(len(mine))[:each]]
    return chosen


def line(name: str, report: Report, seconds: float) -> str:
    def shown(interval: Any) -> str:
        return f"{interval.value:.2f} [{interval.low:.2f}, {interval.high:.2f}]"

    return (
        f"{name:22} n {report.n:4}  failed {report.failed:3}  good {report.base_rate.value:.2f}"
        f"  phi {shown(report.phi)}  AUROC {shown(report.auroc)}  rho {shown(report.rho)}  kappa {shown(report.kappa)}"
        f"  AC1 {shown(report.ac1)}  {seconds * 1000:.1f} ms each"
    )


async def main(model_count: int, steps_count: int, threads: int, only: str, out: Path | None) -> None:
    every = rows()
    articles = sorted({row["doc_id"] for row in every})
    tuning_articles = set(articles[::2])
    tuning = [row for row in every if row["doc_id"] in tuning_articles]
    held = [row for row in every if row["doc_id"] not in tuning_articles]
    embedder, model = MiniLMEmbedder.load(), EmbeddedChat.load(threads=threads)
    judges: list[tuple[str, Judge, int]] = [
        ("words in the article", lexical(1), len(held)),
        ("word pairs (ROUGE-2 P)", lexical(2), len(held)),
        ("MiniLM, nearest", nearest(embedder), len(held)),
        ("SmolLM2-135M, yes/no", says_yes(model), model_count),
        ("SmolLM2-135M, G-Eval", by_steps(model), steps_count),
    ]
    reports = {}
    for name, judge, count in judges:
        if not count or only not in name:
            continue
        tuned, _ = await judged(judge, sample(tuning, count if count >= len(tuning) else count // 2))
        labels, seconds = await judged(judge, sample(held, count))
        threshold = best_threshold(tuned)
        report = check(labels, key=name, threshold=threshold, label_threshold=0.999)
        reports[name] = report.as_json()
        print(line(name, report, seconds), flush=True)
        print("    " + "\n    ".join(report.verdict), flush=True)
    await model.aclose()
    await embedder.aclose()
    if out:
        out.write_text(json.dumps(reports, indent=1), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=int, default=200)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--only", default="", help="judges whose name holds this")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    asyncio.run(main(given.model, given.steps, given.threads, given.only, given.json))

"""How fast cases are read, kept and scored without a judge, on one core. Prints JSON.

Retrieval: 10 passages of 900 characters, one or two pieces of gold, 29 metrics a case. Answers: 300 characters against
one reference of 60. `ir_measures_cases_per_s` is that library asked for the 14 ranking metrics a case at a time.
"""

import argparse
import asyncio
import json
import random
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from assay.evals.answer_metrics import CitationScorer, DeclineScorer, TextScorer
from assay.evals.case import Case, Evidence
from assay.evals.cases import CaseStore, read_cases, write_cases
from assay.evals.gold import Texts, resolve_all
from assay.evals.output import Cited, Output, Retrieved
from assay.evals.retrieval_metrics import RetrievalScorer
from assay.evals.scorer import Gold, Scorer
from assay.ledger.database import open_database, sqlite_url

WORDS = [f"{a}{b}" for a in ("ba", "ke", "lo", "mi", "nu", "ra", "so") for b in ("ton", "ved", "xis", "per", "gle")]


def prose(chance: random.Random, characters: int) -> str:
    words = chance.choices(WORDS, k=characters // 6)
    return " ".join(words)


def made(cases: int) -> list[tuple[Case, Output, tuple[Gold, ...]]]:
    chance = random.Random(1)
    rows = []
    for number in range(cases):
        text = prose(chance, 300)
        starts = [chance.randrange(0, 16_000) for _ in range(10)]
        passages = tuple(Retrieved(f"docs/{chance.randrange(4)}.md", text * 3, start, start + 900) for start in starts)
        gold = []
        for _ in range(chance.choice([1, 2])):
            start = chance.randrange(0, 16_000)
            gold.append(Gold(f"docs/{chance.randrange(4)}.md", text[:150], start, start + 150))
        citations = tuple(Cited(p.document, p.text[:200], p.start, p.start + 200) for p in passages[:2])
        output = Output(text=f"{text} [1]", citations=citations, passages=passages)
        rows.append((Case(f"q{number}", text[:80], answers=(text[60:120],)), output, tuple(gold)))
    return rows


async def rate(scorer: Scorer, rows: list[tuple[Case, Output, tuple[Gold, ...]]]) -> float:
    started = time.perf_counter()
    for case, output, gold in rows:
        await scorer.score(case, output, gold)
    return round(len(rows) / (time.perf_counter() - started))


def ir_measures_rate(cases: int) -> float:
    import ir_measures
    from ir_measures import AP, RR, P, R, nDCG

    measures = [*(measure @ k for measure in (P, R, nDCG) for k in (1, 3, 5, 10)), AP, RR]
    started = time.perf_counter()
    for _ in range(cases):
        qrels = [ir_measures.Qrel("q", "d1", 1)]
        list(ir_measures.iter_calc(measures, qrels, [ir_measures.ScoredDoc("q", f"d{i}", -i) for i in range(10)]))
    return round(cases / (time.perf_counter() - started))


def seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return round(time.perf_counter() - started, 2)


def sets(size: int) -> dict[str, float]:
    chance = random.Random(2)
    evidence = Evidence("docs/1.md", "a quote of the document")
    cases = [
        Case(f"q{i}", prose(chance, 80), (prose(chance, 40),), (evidence,), cluster=str(i % 99)) for i in range(size)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cases.jsonl"
        write_cases(path, cases)
        database = open_database(sqlite_url(Path(folder) / "assay.db"))
        store = CaseStore(database)
        figures = {
            "cases": size,
            "read_s": seconds(lambda: read_cases(path)),
            "save_s": seconds(lambda: store.save("bench", cases, "bench")),
            "save_again_s": seconds(lambda: store.save("bench", cases, "bench")),
            "load_s": seconds(lambda: store.load("bench")),
            "resolve_s": seconds(lambda: resolve_all(cases, Texts({"docs/1.md": "Here is a quote of the document."}))),
        }
        database.close()
    return figures | {"peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)}


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=2_000)
    parser.add_argument("--set-size", type=int, default=100_000)
    arguments = parser.parse_args()
    rows = made(arguments.cases)
    scorers: dict[str, Scorer] = {
        "retrieval": RetrievalScorer(),
        "text": TextScorer(),
        "citations": CitationScorer(),
        "decline": DeclineScorer(),
    }
    rates = {f"{name}_cases_per_s": await rate(scorer, rows) for name, scorer in scorers.items()}
    rates["ir_measures_cases_per_s"] = ir_measures_rate(200)
    print(json.dumps({"scoring": rates, "sets": sets(arguments.set_size)}, indent=2))


if __name__ == "__main__":
    asyncio.run(main())

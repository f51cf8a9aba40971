"""The handbook's own questions: cited where answerable, declined where not. Prints JSON.

An answer is right when one of its first two citations overlaps a gold quote: same document, half of the shorter.
"""

import argparse
import asyncio
import json

import corpora
from answering import Result, answered, interval, p50_ms, share


def overlaps(result: Result) -> bool:
    for citation in result.outcome.citations[:2]:
        text = (corpora.HANDBOOK / citation.document).read_text("utf-8")
        for gold in result.asked.golds:
            start = text.find(gold)
            shared = min(citation.end, start + len(gold)) - max(citation.start, start)
            if start >= 0 and shared > 0 and 2 * shared >= min(len(gold), citation.end - citation.start):
                return True
    return False


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--half", choices=["tune", "report", "all"], default="report")
    arguments = parser.parse_args()
    corpus = corpora.handbook()
    asked = [a for a in corpus.asked if arguments.half == "all" or a.tune == (arguments.half == "tune")]
    results = await answered(corpus, asked)
    right = [overlaps(r) if r.asked.answerable else r.outcome.kind == "declined" for r in results]
    report = {
        "set": corpus.name,
        "half": arguments.half,
        "questions": len(results),
        "score": share(right),
        "score_interval": interval([float(r) for r in right], [r.asked.cluster or r.asked.id for r in results]),
        "answerable_right": share([ok for ok, r in zip(right, results, strict=True) if r.asked.answerable]),
        "answerable_declined": share([r.outcome.kind == "declined" for r in results if r.asked.answerable]),
        "unanswerable_declined": share([ok for ok, r in zip(right, results, strict=True) if not r.asked.answerable]),
        "p50_ms": p50_ms(results),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    asyncio.run(main())

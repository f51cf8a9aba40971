"""XQuAD: is the gold paragraph found, and does the first cited sentence hold the answer? Prints JSON.

A declined question counts as a miss. `--bare` also times a bare llama.cpp call on the same questions: the
embedded chat model reads the best passage and writes 32 tokens.
"""

import argparse
import asyncio
import json
import time

import corpora
import numpy as np
from answering import Result, answered, interval, p50_ms, share, verbatim

from assay.answers.settings import AnswerSettings


def figures(corpus: corpora.Corpus, results: list[Result]) -> dict[str, object]:
    clusters = [result.asked.cluster for result in results]
    first = [_holds(result, 1) for result in results]
    two = [_holds(result, 2) for result in results]
    found = [any(hit.source == result.asked.document for hit in result.hits[:5]) for result in results]
    return {
        "questions": len(results),
        "gold_in_top_5": share(found),
        "first_sentence": share(first),
        "first_sentence_interval": interval(first, clusters),
        "first_two_sentences": share(two),
        "first_two_sentences_interval": interval(two, clusters),
        "declined": share([result.outcome.kind == "declined" for result in results]),
        "every_citation_verbatim": verbatim(corpus, results),
        "words_cited_mean": round(
            float(np.mean([len(c.quote.split()) for r in results for c in r.outcome.citations] or [0])), 1
        ),
        "p50_ms": p50_ms(results),
        "p50_ms_first_question_of_an_article": p50_ms(_firsts(results)),
    }


def _firsts(results: list[Result]) -> list[Result]:
    """The first question of each article: its passages were not read before."""
    return list({result.asked.cluster: result for result in reversed(results)}.values())


def _holds(result: Result, most: int) -> bool:
    return any(corpora.holds(citation.quote, result.asked.golds) for citation in result.outcome.citations[:most])


async def bare_ms(results: list[Result]) -> float:
    """p50 of one call of the embedded chat model with the best passage and the question, 32 tokens out."""
    from assay.models.chat import ChatRequest, Message
    from assay.models.llama import EmbeddedChat

    model = EmbeddedChat.load(timeout_seconds=600)
    seconds = []
    for result in results:
        message = Message(
            "user", f"{result.hits[0].passage.text}\n\nQuestion: {result.asked.question}\nAnswer briefly."
        )
        started = time.perf_counter()
        await model.complete(ChatRequest((message,), max_tokens=32))
        seconds.append(time.perf_counter() - started)
    await model.aclose()
    return round(float(np.median(seconds)) * 1000, 1)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--language", default="en")
    parser.add_argument("--half", choices=["tune", "report", "all"], default="report")
    parser.add_argument("--limit", type=int, help="only every n-th question, about this many")
    parser.add_argument("--decline-below", type=float, default=AnswerSettings().decline_below)
    parser.add_argument("--bare", type=int, metavar="N", help="time a bare llama.cpp call on N of the questions")
    arguments = parser.parse_args()
    corpus = corpora.xquad(arguments.language)
    asked = [a for a in corpus.asked if arguments.half == "all" or a.tune == (arguments.half == "tune")]
    if arguments.limit:
        asked = asked[:: max(1, len(asked) // arguments.limit)]
    results = await answered(corpus, asked, settings=AnswerSettings(decline_below=arguments.decline_below))
    report = {"set": corpus.name, "half": arguments.half, **figures(corpus, results)}
    if arguments.bare:
        report["bare_llama_p50_ms"] = await bare_ms(results[:: max(1, len(results) // arguments.bare)])
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    asyncio.run(main())

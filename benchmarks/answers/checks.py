"""Two checks measured on tuning halves: phrases of the embedded model (XQuAD), support of claims (CLAPNQ). Prints JSON.

Phrases: of questions whose first sentence holds the gold answer, how many phrases pass the check, and how many
of these are right. Support: sentences of human answers against the best sentence of their own passage and of the
best other one; the first should be supported, the second should not.
"""

import argparse
import asyncio
import json
import time
from collections import Counter

import corpora
import numpy as np

from assay.answers.ask import ask
from assay.answers.candidates import sentences_of
from assay.answers.claims import claims_of
from assay.answers.phrase import ask_for_phrase, checked_phrase
from assay.answers.settings import AnswerSettings
from assay.answers.verify import cosines, covered, supports
from assay.index.hit import Hit
from assay.models.llama import EmbeddedChat
from assay.models.minilm import MiniLMEmbedder


def word_f1(said: str, gold: str) -> float:
    a, b = corpora.normalised(said).split(), corpora.normalised(gold).split()
    shared = sum((Counter(a) & Counter(b)).values())
    return 2 * shared / (len(a) + len(b)) if shared else 0.0


async def phrases(most: int, embedder: MiniLMEmbedder) -> dict[str, float]:
    corpus = corpora.xquad()
    tuning = [question for question in corpus.asked if question.tune]
    model = EmbeddedChat.load(timeout_seconds=600)
    passed, seconds, asked = [], [], 0
    async with corpora.indexed(corpus, embedder) as retriever:
        for question in tuning[:: max(1, len(tuning) // most)]:
            settings = AnswerSettings(decline_below=0)
            outcome = await ask(
                question.question, retriever=retriever, embedder=embedder, model=None, settings=settings
            )
            sentence = outcome.citations[0].quote
            if not corpora.holds(sentence, question.golds):
                continue
            asked += 1
            started = time.perf_counter()
            written = (await ask_for_phrase(question.question, sentence, model=model)).text
            seconds.append(time.perf_counter() - started)
            if phrase := checked_phrase(written, question=question.question, sentence=sentence):
                passed.append(max(word_f1(phrase, gold) for gold in question.golds))
    await model.aclose()
    return {
        "questions": asked,
        "pass_the_check": round(len(passed) / asked, 3),
        "exact_of_these": round(float(np.mean([f1 == 1 for f1 in passed])), 3),
        "share_no_word_with_gold_of_these": round(float(np.mean([f1 == 0 for f1 in passed])), 3),
        "p50_ms": round(float(np.median(seconds)) * 1000, 1),
    }


async def support(most: int, embedder: MiniLMEmbedder) -> dict[str, float]:
    corpus = corpora.clapnq()
    answers = {}
    for line in (corpora.DATA / "qa" / "clapnq" / "clapnq_dev_answerable.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        answers[row["id"]] = row["output"][0]["answer"]
    tuning = [question for question in corpus.asked if question.tune and question.answerable][:most]
    own, other = [], []
    async with corpora.indexed(corpus, embedder) as retriever:
        for question in tuning:
            hits = await retriever.search(question.question, k=5)
            claims = [claim.text for claim in claims_of(answers[question.id]) if len(claim.text.split()) > 4][:2]
            for claim in claims:
                mine = [hit for hit in hits if hit.source == question.document]
                own.append(await _best_supports(claim, mine, embedder))
                other.append(await _best_supports(claim, [hit for hit in hits if hit not in mine], embedder))
    return {
        "claims": len(own),
        "supported_by_own_passage": round(float(np.mean(own)), 3),
        "supported_by_another_passage": round(float(np.mean(other)), 3),
    }


async def _best_supports(claim: str, hits: list[Hit], embedder: MiniLMEmbedder) -> bool:
    quotes = [sentence.text for hit in hits for sentence in sentences_of(hit)]
    quotes = sorted(quotes, key=lambda quote: -covered(claim, quote))[:6]
    near = (await cosines([claim], quotes, embedder=embedder))[0]
    best = max(range(len(quotes)), key=lambda i: covered(claim, quotes[i]) + near[i], default=None)
    return best is not None and supports(claim, quotes[best], cosine=float(near[best]))


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--phrases", type=int, default=100, help="about this many questions")
    parser.add_argument("--answers", type=int, default=160, help="about this many human answers")
    arguments = parser.parse_args()
    embedder = MiniLMEmbedder.load()
    report = {
        "phrases": await phrases(arguments.phrases, embedder),
        "support": await support(arguments.answers, embedder),
    }
    await embedder.aclose()
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    asyncio.run(main())

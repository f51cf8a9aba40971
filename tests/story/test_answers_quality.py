"""The quality the product promises, on samples of public question sets; the whole sets are in `benchmarks/answers`.

Only reporting halves are asked: nothing here was used to learn a weight.
"""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks" / "answers"

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def benchmarks(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The benchmarks' own modules, reading the public data."""
    if not (data_folder / "qa").is_dir():
        pytest.skip(f"no question sets in {data_folder}")
    monkeypatch.setenv("ASSAY_DATA", str(data_folder))
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield
    for name in ("corpora", "answering", "xquad", "clapnq", "fitting"):
        sys.modules.pop(name, None)


async def test_xquad_answers_are_cited_verbatim_and_held_by_the_first_sentences() -> None:
    import answering
    import corpora
    import xquad

    corpus = corpora.xquad()
    asked = [question for question in corpus.asked if not question.tune][::5]
    figures = xquad.figures(corpus, await answering.answered(corpus, asked))
    assert figures["gold_in_top_5"] >= 0.985
    assert figures["first_sentence"] >= 0.78
    assert figures["first_two_sentences"] >= 0.89
    assert figures["every_citation_verbatim"]


async def test_clapnq_questions_without_an_answer_are_told_apart() -> None:
    import answering
    import corpora
    from fitting import auroc

    whole = corpora.clapnq()
    asked = [question for question in whole.asked if not question.tune][::2]
    theirs = {question.document for question in asked}
    corpus = replace(whole, documents=tuple(each for each in whole.documents if each.source in theirs))
    results = await answering.answered(corpus, asked)
    confidence = np.array([result.outcome.confidence for result in results])
    assert auroc(np.array([result.asked.answerable for result in results]), confidence) >= 0.88
    assert answering.verbatim(corpus, results)

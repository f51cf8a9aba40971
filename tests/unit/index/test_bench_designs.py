"""Designs measured at once against the bench of each alone, intervals included; metrics against ir-measures."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.documents.settings import DocumentSettings
from assay.errors import BadInput
from assay.index.beir import METRICS, bench_retrieval, load_beir, score
from assay.index.bench_designs import Design, _scored, bench_designs
from assay.index.settings import IndexSettings
from assay.models.embedder import Kind, Vectors
from assay.models.scripted import ScriptedEmbedder

_WORDS = ["apple", "pear", "iron", "zinc", "river", "stone", "cloud", "glass"]
_CUTS = [DocumentSettings(size=32), DocumentSettings(cut="tokens", size=24, overlap=4)]
_INDEXES = [
    IndexSettings(mode="lexical"),
    IndexSettings(mode="dense", k=3),
    IndexSettings(dense_weight=0.2),
    IndexSettings(dense_weight=0.9, candidates=900),
    IndexSettings(fusion="rrf", rrf_k=5),
    IndexSettings(language="none"),
]
_DESIGNS = [*(Design(_CUTS[0], index) for index in _INDEXES), Design(_CUTS[1], _INDEXES[2])]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    chance = np.random.default_rng(5)
    folder = tmp_path / "tiny"
    (folder / "qrels").mkdir(parents=True)
    texts = [". ".join(" ".join(chance.choice(_WORDS, 6)) for _ in range(12)) for _ in range(40)]
    corpus = [{"_id": f"d{i}", "title": f"Note {i}", "text": text} for i, text in enumerate(texts)]
    corpus += [{"_id": "short", "title": "", "text": "iron"}, {"_id": "empty", "title": "", "text": ""}]
    (folder / "corpus.jsonl").write_text("\n".join(json.dumps(line) for line in corpus))
    queries = [{"_id": f"q{i}", "text": " ".join(chance.choice(_WORDS, 3))} for i in range(12)]
    queries.append({"_id": "blank", "text": " "})
    (folder / "queries.jsonl").write_text("\n".join(json.dumps(line) for line in queries))
    judged = [(f"q{i}", f"d{d}", int(chance.integers(0, 4))) for i in range(12) for d in chance.choice(40, 5, False)]
    rows = "".join(f"{query}\t{document}\t{grade}\n" for query, document, grade in [*judged, ("blank", "d1", 1)])
    (folder / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{rows}")
    return folder


async def test_a_design_has_the_figures_of_its_own_bench(folder: Path, tmp_path: Path) -> None:
    collection, embedder = load_beir(folder), ScriptedEmbedder(dimensions=16)
    bench = await bench_designs(collection, _DESIGNS, home=tmp_path / "all", embedder=embedder)
    assert bench.queries == (*(f"q{i}" for i in range(12)), "blank")
    assert bench.documents == 41
    for design, result in zip(_DESIGNS, bench.results, strict=True):
        alone = await bench_retrieval(
            collection,
            home=tmp_path / design.cut,
            embedder=embedder,
            documents=design.documents,
            settings=design.index,
        )
        expected = alone.modes[design.index.mode].metrics
        assert result.passages == alone.passages
        for metric in METRICS:
            found, own = result.metrics[metric], expected[metric]
            assert (found.value, found.low, found.high) == pytest.approx((own.value, own.low, own.high), abs=1e-12)
        assert result.ndcg.mean() == pytest.approx(expected["ndcg@10"].value, abs=1e-12)
    assert len({round(result.metrics["map"].value, 9) for result in bench.results}) > len(_DESIGNS) // 2


async def test_text_that_cuts_share_is_embedded_once(folder: Path, tmp_path: Path) -> None:
    class Counting(ScriptedEmbedder):
        def __init__(self) -> None:
            super().__init__(dimensions=16)
            self.texts: list[str] = []

        async def embed(self, texts: Sequence[str], *, kind: Kind = "passage") -> Vectors:
            if kind == "passage":
                self.texts.extend(texts)
            return await super().embed(texts, kind=kind)

    embedder = Counting()
    designs = [Design(cut) for cut in _CUTS] + [Design(DocumentSettings(size=200)), Design(DocumentSettings(size=400))]
    await bench_designs(load_beir(folder), designs, home=tmp_path / "home", embedder=embedder)
    assert len(embedder.texts) == len(set(embedder.texts)) > 41


async def test_a_design_that_re_ranks_is_refused(folder: Path, tmp_path: Path) -> None:
    designs = [Design(index=IndexSettings(rerank=4))]
    with pytest.raises(BadInput, match="re-ranks"):
        await bench_designs(load_beir(folder), designs, home=tmp_path, embedder=ScriptedEmbedder(dimensions=16))


@given(
    st.lists(st.integers(0, 150), unique=True, max_size=100),
    st.dictionaries(st.integers(0, 150), st.integers(0, 3), min_size=1, max_size=20),
)
def test_metrics_are_those_of_ir_measures(ranking: list[int], grades: dict[int, int]) -> None:
    documents, judged = [str(one) for one in ranking], {str(one): grade for one, grade in grades.items()}
    expected = score({"q": judged}, {"q": documents})
    assert _scored(documents, judged) == pytest.approx(tuple(expected[name].value for name in METRICS), abs=1e-12)

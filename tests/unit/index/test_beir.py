"""The retrieval bench: files in the BEIR layout, metrics by hand, and a run from end to end."""

import json
from pathlib import Path

import pytest

from assay.documents.settings import DocumentSettings
from assay.errors import BadInput, NotFound
from assay.index.beir import bench_retrieval, load_beir, score
from assay.index.settings import IndexSettings
from assay.models.scripted import ScriptedEmbedder

_WORDS = ["apple", "pear", "iron", "zinc", "river", "stone", "cloud", "glass"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "tiny"
    (folder / "qrels").mkdir(parents=True)
    corpus = [{"_id": f"d{i}", "title": f"About {w}", "text": f"The {w} is here. " * 30} for i, w in enumerate(_WORDS)]
    corpus.append({"_id": "empty", "title": "", "text": ""})
    (folder / "corpus.jsonl").write_text("\n".join(json.dumps(line) for line in corpus))
    queries = [{"_id": f"q{i}", "text": f"where is the {w}"} for i, w in enumerate([*_WORDS, "unjudged"])]
    (folder / "queries.jsonl").write_text("\n".join(json.dumps(line) for line in queries))
    rows = "".join(f"q{i}\td{i}\t1\n" for i in range(len(_WORDS)))
    (folder / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{rows}")
    (folder / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\nq0\td1\t2\n")
    return folder


async def test_a_collection_is_measured_in_every_mode(folder: Path, tmp_path: Path) -> None:
    result = await bench_retrieval(
        load_beir(folder),
        home=tmp_path / "home",
        embedder=ScriptedEmbedder(dimensions=64),
        documents=DocumentSettings.model_validate({"size": 32}),
        settings=IndexSettings(),
    )
    found = result.as_json()
    assert (found["documents"], found["queries"]) == (8, 8)
    assert found["passages"] > 8
    assert set(found["modes"]) == {"lexical", "dense", "fused"}
    for mode in found["modes"].values():
        assert (mode["ndcg@10"], mode["recall@100"], mode["map"]) == (1.0, 1.0, 1.0)
        assert mode["ms_per_query"] > 0
        assert mode["intervals"]["ndcg@10"] == {"low": 1.0, "high": 1.0}
    json.dumps(found)


def test_splits_and_judged_queries(folder: Path) -> None:
    assert set(load_beir(folder).queries) == {f"q{i}" for i in range(8)}
    assert load_beir(folder, split="train").qrels == {"q0": {"d1": 2}}


def test_metrics_of_a_ranking_worked_out_by_hand() -> None:
    metrics = score({"a": {"x": 1, "y": 1}, "b": {"z": 1}}, {"a": ["w", "x", "y"], "b": []})
    gain = (1 / 1.5849625 + 1 / 2) / (1 + 1 / 1.5849625)  # ranks 2 and 3 over the ideal 1 and 2
    assert metrics["ndcg@10"].value == pytest.approx(gain / 2)
    assert metrics["map"].value == pytest.approx((1 / 2 + 2 / 3) / 2 / 2)
    assert metrics["recall@100"].value == pytest.approx(0.5)
    assert metrics["map"].low <= metrics["map"].value <= metrics["map"].high


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"test\.tsv"):
        load_beir(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("qrels/test.tsv", "q0\td0\n", "line 1"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\n", "no judgements"),
        ("qrels/test.tsv", "unknown\td0\t1\n", "unknown"),
        ("queries.jsonl", '{"_id": "q0"}\nnonsense\n', "line 2"),
        ("queries.jsonl", '["q0"]\n', "line 1"),
    ],
)
def test_a_line_that_makes_no_sense_is_named(folder: Path, name: str, content: str, match: str) -> None:
    (folder / name).write_text(content)
    with pytest.raises(BadInput, match=match):
        load_beir(folder)

"""`assay bench retrieval --space` as a user meets it, and which designs of a space are retrieval designs."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from assay.app.bench_space import retrieval_space
from assay.app.cli.bench import command
from assay.app.settings import load_settings
from assay.decisions.race.space import space_of
from assay.decisions.replay import read_matrix
from assay.errors import BadInput, BadSetting

_WORDS = ["apple", "pear", "iron", "zinc", "river", "stone"]
_SPACE = """
[factors]
"index.mode" = ["lexical", "dense", "fused"]
"index.dense_weight" = [0.3, 0.6]
"documents.size" = [32, 64]
"answers.sentences" = [1, 2]

[base]
"index.candidates" = 50
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "tiny"
    (folder / "qrels").mkdir(parents=True)
    corpus = [{"_id": f"d{i}", "title": f"About {w}", "text": f"The {w} is here. " * 20} for i, w in enumerate(_WORDS)]
    (folder / "corpus.jsonl").write_text("\n".join(json.dumps(line) for line in corpus))
    queries = [{"_id": f"q{i}", "text": f"where is the {w}"} for i, w in enumerate(_WORDS)]
    (folder / "queries.jsonl").write_text("\n".join(json.dumps(line) for line in queries))
    rows = "".join(f"q{i}\td{i}\t1\n" for i in range(len(_WORDS)))
    (folder / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{rows}")
    (tmp_path / "space.toml").write_text(_SPACE)
    return folder


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, ["retrieval", *arguments], catch_exceptions=False)


def test_every_design_is_measured_and_its_matrix_can_be_replayed(folder: Path, tmp_path: Path) -> None:
    space, matrix = str(tmp_path / "space.toml"), tmp_path / "out.csv"
    shape = json.loads(run(str(folder), "--space", space, "--matrix", str(matrix), "--json").stdout)
    assert len(shape["designs"]) == 8  # lexical and dense look at no weight: (1 + 1 + 2) for each of two sizes
    assert len(shape["left_out"]) == 4
    assert shape["notes"] == ["not retrieval, left aside: answers.sentences"]
    places = [(-design["ndcg@10"], design["number"]) for design in shape["designs"]]  # equal ones as in the space
    assert places == sorted(places)
    read = read_matrix(matrix)
    assert read.items == tuple(f"q{i}" for i in range(6))
    assert read.arms[0] == "index.mode=lexical index.dense_weight=0.3 documents.size=32"
    by_name = {design["name"]: design for design in shape["designs"]}
    assert list(read.scores.mean(axis=0)) == pytest.approx([by_name[name]["ndcg@10"] for name in read.arms])
    assert np.isfinite(read.scores).all()


def test_a_person_sees_the_best_first_and_a_warning(folder: Path, tmp_path: Path) -> None:
    shown = run(str(folder), "--space", str(tmp_path / "space.toml"))
    assert "index.mode=fused" in shown.stdout
    assert "reads too well" in shown.stdout
    assert "--replay" in shown.stdout


def test_a_matrix_without_a_space_is_a_mistake(folder: Path) -> None:
    assert run(str(folder), "--matrix", "out.csv").exit_code == 2


def test_a_contradiction_and_a_reranked_design_are_left_out_with_the_reason() -> None:
    space = space_of({"factors": {"documents.overlap": [0, 150], "index.rerank": [0, 5]}, "base": {"index.k": 3}})
    found = retrieval_space(space, load_settings(environ={}))
    assert [dict(arm.levels) for arm in found.arms] == [{"documents.overlap": 0, "index.rerank": 0}]
    why = [one.why for one in found.left_out]
    assert any("half of documents.size" in reason for reason in why)
    assert any("re-ranks" in reason for reason in why)
    assert found.settings[0].index.k == 3


@pytest.mark.parametrize(
    ("tables", "match"),
    [
        ({"factors": {"answers.sentences": [1, 2]}}, "no factor that changes retrieval"),
        ({"factors": {"models.embedder": ["a", "b"], "index.k": [1, 2]}}, "cannot be a factor"),
        ({"factors": {"anything": [1, 2]}, "system": {"target": "bot.py:answer"}}, "system of your own"),
        ({"factors": {"index.rerank": [5, 6]}}, "no design that could be raced"),
    ],
)
def test_a_space_without_retrieval_designs_is_refused(tables: dict[str, object], match: str) -> None:
    with pytest.raises(BadInput, match=match):
        retrieval_space(space_of(tables), load_settings(environ={}))


def test_a_factor_that_is_no_setting_is_named() -> None:
    with pytest.raises(BadSetting, match="modus"):
        retrieval_space(space_of({"factors": {"index.modus": ["dense"]}}), load_settings(environ={}))

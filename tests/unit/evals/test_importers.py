"""Scores from elsewhere: what the tools write, and every way such a file is wrong.

`data/inspect_log.json` was written by inspect_ai 0.3.285 (mockllm, two epochs, one sample that fails), its events and
messages taken out. `data/promptfoo_results.json` follows promptfoo's own import schema, version 3.
"""

import copy
import json
import zipfile
import zlib
from pathlib import Path

import pytest

from assay.decisions.results import read_results
from assay.errors import AssayError, BadInput, NotFound
from assay.evals.foreign_score import ForeignScore, lines_of, metrics_of, rows_of_scores, write_lines
from assay.evals.importers import import_scores
from assay.evals.scoreboard import scoreboard

DATA = Path(__file__).parent / "data"
INSPECT = json.loads((DATA / "inspect_log.json").read_text())
PROMPTFOO = json.loads((DATA / "promptfoo_results.json").read_text())


def refused(path, kind=BadInput, **more):
    with pytest.raises(kind) as caught:
        import_scores(path, **more)
    assert caught.value.hint
    return str(caught.value)


# --- JSONL ------------------------------------------------------------------------------------------------------------


def lines(tmp_path, *rows, name="scores.jsonl"):
    path = tmp_path / name
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return path


def test_lines_with_every_field(tmp_path):
    full = {"case": "q1", "score": 0.5, "metric": "f1", "cluster": "d1", "cost_usd": 0.1, "latency_ms": 5, "error": ""}
    path = lines(
        tmp_path,
        full,
        {"case": 2, "score": True},
        {"case": "q3", "error": "timed out"},
        "",
        {"case": "q4", "score": None},
    )
    assert import_scores(path) == [
        ForeignScore("q1", 0.5, "f1", cluster="d1", cost_usd=0.1, latency_ms=5.0),
        ForeignScore("2", 1.0),
        ForeignScore("q3", None, error="timed out"),
        ForeignScore("q4", None),
    ]


def test_the_same_case_again_is_another_answer(tmp_path):
    path = lines(tmp_path, *({"case": "q1", "score": score, "metric": m} for score in (0, 1) for m in ("a", "b")))
    assert [(s.metric, s.replica, s.score) for s in import_scores(path)] == [
        ("a", 0, 0),
        ("b", 0, 0),
        ("a", 1, 1),
        ("b", 1, 1),
    ]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"score": 1}, 'no "case"'),
        ({"case": "q"}, 'no "score"'),
        ({"case": "q", "score": "high"}, '"score": "high"'),
        ({"case": "q", "score": [1]}, '"score": [1]'),
        ({"case": "q", "score": 1, "cost_usd": -1}, '"cost_usd": -1'),
        ({"case": "q", "score": 1, "latency_ms": "5"}, '"latency_ms": "5"'),
        ({"case": "q", "score": 1, "metric": ["f1"]}, '"metric": ["f1"]'),
        ({"case": True, "score": 1}, '"case": true'),
        ('{"case": "q", "score": NaN}', "NaN"),
        ('{"case": "q", "score": 1', "is not JSON"),
        ("[1]", "not a JSON object"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_is_read(tmp_path, row, said):
    message = refused(lines(tmp_path, {"case": "ok", "score": 1}, row))
    assert said in message
    assert "scores.jsonl:2" in message


def test_files_that_are_none(tmp_path):
    assert "no file" in refused(tmp_path / "gone.jsonl", NotFound)
    assert "holds no scores" in refused(lines(tmp_path, ""))
    assert "no file of scores" in refused(lines(tmp_path, "case,score", name="scores.csv"))
    assert "neither a log" in refused(lines(tmp_path, {"a": 1}, name="x.json"))
    assert "is not JSON" in refused(lines(tmp_path, '{"a": ', name="x.json"))
    assert "folder" in refused(tmp_path)


# --- inspect_ai -------------------------------------------------------------------------------------------------------


def packed(tmp_path, log, *, compression=zipfile.ZIP_DEFLATED, header=True):
    path = tmp_path / "log.eval"
    with zipfile.ZipFile(path, "w", compression) as archive:
        for sample in log["samples"]:
            archive.writestr(f"samples/{sample['id']}_epoch_{sample['epoch']}.json", json.dumps(sample))
        if header:
            archive.writestr("header.json", json.dumps({key: log[key] for key in log if key != "samples"}))
    return path


def test_a_log_of_inspect_ai_in_either_format(tmp_path):
    scores = import_scores(DATA / "inspect_log.json")
    assert [(s.case, s.metric, s.replica, s.score) for s in scores[:4]] == [
        ("q1", "includes", 0, 1.0),
        ("q1", "overlap", 0, 0.5),
        ("q2", "includes", 0, 0.0),
        ("q2", "overlap", 0, 0.0),
    ]
    failed = [s for s in scores if s.error]
    assert [(s.case, s.replica, s.error) for s in failed] == [
        ("q3", 0, "RuntimeError('the tool broke')"),
        ("q3", 1, "RuntimeError('the tool broke')"),
    ]
    assert all(s.latency_ms > 0 for s in scores)
    assert metrics_of(scores) == ["includes", "overlap"]
    assert sorted(import_scores(packed(tmp_path, INSPECT)), key=repr) == sorted(scores, key=repr)


def test_the_eval_format_packed_with_zstandard(tmp_path):
    """As inspect_ai packs it, with a member's own header in front; one flipped byte is found."""
    zstandard = pytest.importorskip("zstandard")
    path = packed(tmp_path, INSPECT, compression=zipfile.ZIP_STORED)
    with zipfile.ZipFile(path) as archive:
        plain = {info.filename: archive.read(info) for info in archive.infolist()}
    path.write_bytes(zstd_zip({name: zstandard.compress(raw) for name, raw in plain.items()}, plain))
    assert sorted(import_scores(path), key=repr) == sorted(import_scores(DATA / "inspect_log.json"), key=repr)
    broken = {name: zstandard.compress(raw.replace(b"includes", b"inc1udes")) for name, raw in plain.items()}
    path.write_bytes(zstd_zip(broken, plain))
    assert "checksum" in refused(path)


def zstd_zip(members, plain):
    """A zip archive whose members are packed with method 93."""
    body, central = b"", b""
    for name, raw in members.items():
        encoded, extra = name.encode(), b"\x99\x99\x02\x00ab"
        sizes = (
            zlib.crc32(plain[name]).to_bytes(4, "little")
            + len(raw).to_bytes(4, "little")
            + len(plain[name]).to_bytes(4, "little")
        )
        middle = b"\x14\x00\x00\x00\x5d\x00\x00\x00\x00\x00" + sizes + len(encoded).to_bytes(2, "little")
        central += (
            b"PK\x01\x02\x14\x00" + middle + b"\x00" * 4 + b"\x00" * 8 + len(body).to_bytes(4, "little") + encoded
        )
        body += b"PK\x03\x04" + middle + len(extra).to_bytes(2, "little") + encoded + extra + raw
    count = len(members).to_bytes(2, "little") * 2
    sizes = len(central).to_bytes(4, "little") + len(body).to_bytes(4, "little")
    return body + central + b"PK\x05\x06\x00\x00\x00\x00" + count + sizes + b"\x00\x00"


def changed(tmp_path, change):
    log = copy.deepcopy(INSPECT)
    change(log)
    path = tmp_path / "log.json"
    path.write_text(json.dumps(log))
    return path


def values(tmp_path, value):
    def change(log):
        log["samples"] = log["samples"][:1]
        log["samples"][0]["scores"] = {"grade": {"value": value}}

    return changed(tmp_path, change)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("C", 1),
        ("P", 0.5),
        ("I", 0),
        ("N", 0),
        (True, 1),
        ("yes", 1),
        ("0.25", 0.25),
        (float("nan"), None),
        (None, None),
    ],
)
def test_grades_become_numbers(tmp_path, value, expected):
    assert [(s.metric, s.score) for s in import_scores(values(tmp_path, value))] == [("grade", expected)]


def test_a_scorer_with_several_values_gives_several_metrics(tmp_path):
    found = import_scores(values(tmp_path, {"tone": 1, "facts": "I"}))
    assert [(s.metric, s.score) for s in found] == [("grade/tone", 1.0), ("grade/facts", 0.0)]


def test_logs_that_would_lose_samples_or_hold_no_scores_are_refused(tmp_path):
    assert "ended with 'cancelled'" in refused(changed(tmp_path, lambda log: log.update(status="cancelled")))
    assert "no samples" in refused(changed(tmp_path, lambda log: log.update(samples=None)))
    assert "sample q1, epoch 1 has no scores" in refused(
        changed(tmp_path, lambda log: log["samples"][0].update(scores={}))
    )
    assert "grade has the value 'good'" in refused(values(tmp_path, "good"))
    assert "grade has the value '[1, 2]'" in refused(values(tmp_path, [1, 2]))
    assert "has no id" in refused(changed(tmp_path, lambda log: log["samples"].append({})))
    assert "has no header" in refused(packed(tmp_path, INSPECT, header=False))
    whole = packed(tmp_path, INSPECT).read_bytes()
    (tmp_path / "cut.eval").write_bytes(whole[: len(whole) // 2])
    assert "damaged archive" in refused(tmp_path / "cut.eval")


# --- promptfoo --------------------------------------------------------------------------------------------------------


def test_results_of_promptfoo():
    scores = import_scores(DATA / "promptfoo_results.json")
    found = [(s.case, s.metric, s.score, s.error) for s in scores]
    assert found == [
        ("q1", "score", 1.0, ""),
        ("q1", "pass", 1.0, ""),
        ("q1", "short", 1.0, ""),
        ("test 1", "score", 0.5, ""),
        ("test 1", "pass", 0.0, ""),
        ("test 1", "short", 1.0, ""),
        ("test 2", "score", None, "API error: 503"),
    ]
    assert (scores[0].cost_usd, scores[0].latency_ms, scores[-1].cost_usd) == (0.0004, 120.0, None)
    assert scores[0].cluster == ""
    assert scores[3].cluster == scores[6].cluster != ""  # the same vars asked twice


def foo(tmp_path, change):
    shape = copy.deepcopy(PROMPTFOO)
    change(shape["results"]["results"])
    path = tmp_path / "results.json"
    path.write_text(json.dumps(shape))
    return path


def test_one_system_of_several_must_be_named(tmp_path):
    path = foo(tmp_path, lambda rows: rows[1].update(provider={"id": "openai:gpt-4o-mini"}))
    assert "holds 2 systems" in refused(path)
    assert "no system called claude" in refused(path, system="claude")
    assert {s.case for s in import_scores(path, system="openai:gpt-4o-mini")} == {"test 1"}
    assert {s.case for s in import_scores(path, system="echo")} == {"q1", "test 2"}


def test_older_files_without_a_reason_tell_a_crash_by_its_missing_grade(tmp_path):
    def older(rows):
        for row in rows:
            del row["failureReason"]

    assert [s.case for s in import_scores(foo(tmp_path, older)) if s.error] == ["test 2"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: rows[1].update(score="high"), 'result 2 has "score": "high"'),
        (lambda rows: rows[1].update(score=float("nan")), 'result 2 has "score": NaN'),
        (lambda rows: rows[1].pop("success"), 'result 2 does not say "success"'),
        (lambda rows: rows[0].update(namedScores={"tone": "good"}), 'result 1 has tone: "good"'),
        (lambda rows: rows.append(7), "result 4 is no object"),
    ],
)
def test_a_wrong_result_is_named(tmp_path, change, said):
    assert said in refused(foo(tmp_path, change))


# --- where they go ----------------------------------------------------------------------------------------------------


def test_a_scoreboard_of_foreign_scores_keeps_failures_as_zeros():
    board = scoreboard(rows_of_scores(import_scores(DATA / "inspect_log.json")))
    assert (board.metrics["includes"].value, board.metrics["includes"].n, board.metrics["includes"].errors) == (
        0.5,
        3,
        1,
    )
    assert board.rows == 6


def test_a_comparison_reads_what_is_written(tmp_path):
    scores = import_scores(DATA / "inspect_log.json")
    assert write_lines(tmp_path / "out.jsonl", scores, "overlap") == 3
    rows = read_results(tmp_path / "out.jsonl")
    assert [(row.case, row.score) for row in rows] == [("q1", 0.75), ("q2", 0.5), ("q3", None)]
    assert lines_of(scores, "overlap")[2]["error"]
    with pytest.raises(BadInput, match="no metric 'f1'") as caught:
        lines_of(scores, "f1")
    assert "includes, overlap" in caught.value.hint


def test_a_case_with_an_answer_that_failed_has_no_mean():
    scores = [ForeignScore("q", 1.0), ForeignScore("q", None, replica=1, error="broke"), ForeignScore("r", 1.0)]
    assert [(line["case"], line["score"]) for line in lines_of(scores, "score")] == [("q", None), ("r", 1.0)]


def test_scores_beyond_one_belong_in_a_comparison_only():
    scores = [ForeignScore("q", 7.0)]
    assert lines_of(scores, "score") == [{"case": "q", "score": 7.0, "metric": "score"}]
    with pytest.raises(AssayError, match="from 0 to 1"):
        rows_of_scores(scores)

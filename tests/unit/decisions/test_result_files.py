"""Result files: what is read, and every kind of bad file refused by name, line and remedy."""

import io
import json
import os
from pathlib import Path

import pytest

from assay.decisions.results import LONGEST_LINE, STDIN, Scored, read_results
from assay.errors import BadInput, NotFound, Unreadable


@pytest.fixture
def written(tmp_path):
    def write(content):
        path = tmp_path / "results.jsonl"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_every_field_is_read(written):
    path = written('{"case": "q1", "score": 0.5, "cluster": "d", "cost_usd": 0.01, "latency_ms": 12, "more": [1]}\n')
    assert read_results(path) == [Scored("q1", 0.5, "d", 0.01, 12.0)]


@pytest.mark.parametrize(
    ("score", "read"),
    [
        ("true", 1.0),
        ("false", 0.0),
        ("3", 3.0),
        ("-2.5", -2.5),
        ("null", None),
        ("NaN", None),
        ("Infinity", None),
        ("1e999", None),
    ],
)
def test_scores_of_every_kind(written, score, read):
    assert read_results(written(f'{{"case": "q", "score": {score}}}'))[0].score == read


def test_a_score_that_overflows_only_later_is_refused(written):
    for score in ("1e150", "-1e101", "1" + "0" * 400):
        with pytest.raises(BadInput, match=r"results\.jsonl:1 .*1e100"):
            read_results(written(f'{{"case": "q", "score": {score}}}'))


def test_numbers_name_cases_and_clusters_too(written):
    path = written('{"case": 7, "score": 1, "cluster": 2}\n{"case": 7.5, "score": 1}\n')
    assert [(row.case, row.cluster) for row in read_results(path)] == [("7", "2"), ("7.5", None)]


@pytest.mark.parametrize("amount", ["null", "NaN", "Infinity", "1" + "0" * 400])
def test_an_amount_that_is_no_amount_is_unknown(written, amount):
    row = read_results(written(f'{{"case": "q", "score": 1, "cost_usd": {amount}, "latency_ms": {amount}}}'))[0]
    assert (row.cost_usd, row.latency_ms) == (None, None)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\n\n  \n"])
def test_marks_line_ends_and_blank_lines(written, mark, end):
    path = written(mark + b'{"case": "\xc3\xa9", "score": 1}' + end + b' {"case": "b", "score": 0} ' + end)
    assert [row.case for row in read_results(path)] == ["é", "b"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"case": "q", "score": 1', "not JSON"),
        ("case,score", "not JSON"),
        ("[1, 2]", "not a JSON object"),
        ("3", "not a JSON object"),
        ('{"case": "q", "score": 1} {"case": "r", "score": 1}', "more than one"),
        ('{"case": "q", "score": 1, "score": 0}', '"score" more than once'),
        ('{"case": "q", "score": 1, "more": {"\x1b": 1, "\x1b": 1}}', "not JSON"),
        ('{"case": "q", "score": 1, "more": [{"\\u001b": 1, "\\u001b": 1}]}', "more than once"),
        ('{"score": 1}', 'no "case"'),
        ('{"id": "q", "value": 1}', 'no "case" (its keys: id, value)'),
        ('{"case": "q"}', 'no "score"'),
        ('{"case": "q", "score": "high"}', '"score": "high"'),
        ('{"case": "q", "score": "0.5"}', '"score"'),
        ('{"case": "q", "score": [1]}', '"score"'),
        ('{"case": null, "score": 1}', '"case": null'),
        ('{"case": true, "score": 1}', '"case": true'),
        ('{"case": "q", "score": 1, "cluster": ["d"]}', '"cluster"'),
        ('{"case": "q", "score": 1, "cost_usd": "free"}', '"cost_usd"'),
        ('{"case": "q", "score": 1, "cost_usd": -1}', 'negative "cost_usd"'),
        ('{"case": "q", "score": 1, "latency_ms": true}', '"latency_ms"'),
        ('{"case": "q", "score": 1, "latency_ms": -0.5}', 'negative "latency_ms"'),
        ('{"case": "q", "score": ' + "1" * 5000 + "}", "not JSON we can read"),
        ("[" * 100_000, "JSON"),
        ('{"case": "\x1b[31m", "score": 1', "not JSON"),
    ],
    ids=range(24),
)
def test_a_bad_line_is_named_with_what_to_do(written, line, says):
    with pytest.raises(BadInput) as caught:
        read_results(written(f'{{"case": "fine", "score": 1}}\n\n{line}\n'))
    assert "results.jsonl:3 " in caught.value.message
    assert says in caught.value.message
    assert caught.value.hint
    assert len(caught.value.message) < 400
    assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no results"),
        (b"\n \r\n", "no results"),
        (b"\xef\xbb\xbf", "no results"),
        (b"\x00\x01\x02", "not JSON"),
        (b'{"case": "\xff", "score": 1}', "not UTF-8"),
        ('{"case": "q", "score": 1}'.encode("utf-16"), "UTF-16"),
        (b"%PDF-1.7\n%\xe2\xe3", "JSON"),
    ],
)
def test_a_file_that_is_no_result_file(written, content, says):
    with pytest.raises(BadInput, match=says) as caught:
        read_results(written(content))
    assert caught.value.hint


def test_a_missing_file_a_folder_and_a_loop(tmp_path):
    with pytest.raises(NotFound, match=r"none\.jsonl"):
        read_results(tmp_path / "none.jsonl")
    with pytest.raises(BadInput, match="folder"):
        read_results(tmp_path)
    loop = tmp_path / "loop.jsonl"
    loop.symlink_to(loop)
    with pytest.raises(Unreadable, match="cannot be read"):
        read_results(loop)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(written):
    path = written("{}")
    path.chmod(0)
    with pytest.raises(Unreadable, match="cannot be read"):
        read_results(path)


def test_what_may_never_end_is_refused(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero")):
        with pytest.raises(BadInput, match="regular file") as caught:
            read_results(path)
        assert "-" in caught.value.hint


def test_standard_input_and_what_a_shell_pipes_in_are_read(monkeypatch):
    line = b'{"case": "q", "score": 1}\n'
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(line)))
    assert read_results(STDIN) == [Scored("q", 1.0)]
    with pytest.raises(BadInput, match="stdin holds no results"):
        read_results(STDIN)
    reader, writer = os.pipe()
    os.write(writer, line)
    os.close(writer)
    try:
        assert read_results(Path(f"/dev/fd/{reader}")) == [Scored("q", 1.0)]
    finally:
        os.close(reader)


def test_a_line_longer_than_a_megabyte_is_refused_where_it_stands(written):
    fits, too_long = (
        json.dumps({"case": "q", "score": 1, "more": "x" * length}) + "\n"
        for length in (LONGEST_LINE - 50, LONGEST_LINE)
    )
    assert len(read_results(written(fits * 2))) == 2
    with pytest.raises(BadInput, match=r"results\.jsonl:2 is longer than 1,000,000 bytes"):
        read_results(written(fits + too_long))


@pytest.mark.parametrize("content", ['[{"case": "q1", "score": 1}]', '[\n  {"case": "q1"}\n]'])
def test_one_json_array_is_refused_with_the_way_out(written, content):
    with pytest.raises(BadInput) as caught:
        read_results(written(content))
    assert "jq -c '.[]'" in caught.value.hint

"""Files of cases: read wholly and strictly, or refused with the line, what is wrong and what to do."""

import json
import os
import tracemalloc

import pytest

from assay.errors import BadInput, NotFound, Unreadable
from assay.evals.case import Case, Evidence
from assay.evals.cases import read_cases, write_cases
from assay.evals.gold import Texts
from assay.evals.judges.labels import read_labels
from assay.evals.lines import LONGEST_LINE

CASE = {"id": "q1", "question": "Why?"}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cases.jsonl"


def lines(path, *rows):
    path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def refused(path, **options):
    with pytest.raises(BadInput) as caught:
        read_cases(path, **options)
    return caught.value


def test_every_field_round_trips(path):
    cases = [
        Case(
            "q1",
            "Why <b>so</b>? \x1b[31m",
            answers=("because", "darum – ü 🙂"),
            evidence=(
                Evidence("a.md", "quote"),
                Evidence("b.md", "q", 3, 4),
                Evidence("c.md", start=0, end=9, grade=2),
            ),
            tags=("hard", "two words"),
            cluster="a",
        ),
        Case("q2", "And?", answerable=False),
        Case("q3", "Whole document", evidence=(Evidence("d.md"),)),
    ]
    write_cases(path, cases)
    assert read_cases(path) == cases
    write_cases(path, read_cases(path))
    assert [case.digest for case in read_cases(path)] == [case.digest for case in cases]


def test_blank_lines_byte_order_mark_carriage_returns_and_a_last_line_without_end(path):
    path.write_bytes(b'\xef\xbb\xbf{"id": "1", "question": "a"}\r\n\r\n   \n{"id": 2, "question": "b"}')
    assert read_cases(path) == [Case("1", "a"), Case("2", "b")]


FAULTS = {
    "no id": ({"question": "?"}, 'no "id"', "id"),
    "no question": ({"id": "1"}, 'no "question"', "question"),
    "empty id": ({"id": " ", "question": "?"}, "empty", "id"),
    "id of another type": ({"id": 1.5, "question": "?"}, '"id": 1.5', "text"),
    "true id": ({"id": True, "question": "?"}, '"id": true', "text"),
    "id with control characters": ({"id": "a\x1b[0m", "question": "?"}, "control characters", "out"),
    "empty question": ({"id": "1", "question": " \n"}, "empty", "question"),
    "question of another type": ({"id": "1", "question": ["?"]}, "no text", "text"),
    "answers that are no list": ({**CASE, "answers": "a"}, '"answers": "a"', "list"),
    "an answer that is no text": ({**CASE, "answers": ["a", 7]}, "7", "text"),
    "an empty answer": ({**CASE, "answers": [""]}, '""', "empty"),
    "answerable as text": ({**CASE, "answerable": "false"}, '"answerable": "false"', "quotation"),
    "answerable as number": ({**CASE, "answerable": 0}, '"answerable": 0', "true or false"),
    "tags that are no list": ({**CASE, "tags": "a,b"}, '"tags"', "list"),
    "cluster of another type": ({**CASE, "cluster": ["a"]}, '"cluster"', "text"),
    "null": ({**CASE, "answers": None}, "null", "list"),
    "evidence that is no list": ({**CASE, "evidence": {"document": "a"}}, '"evidence"', "list"),
    "evidence that is no object": ({**CASE, "evidence": ["a"]}, '"a"', "document"),
    "evidence without document": ({**CASE, "evidence": [{"quote": "a"}]}, "without", "Name"),
    "evidence with an empty quote": ({**CASE, "evidence": [{"document": "a", "quote": " "}]}, '" "', "Quote"),
    "start without end": ({**CASE, "evidence": [{"document": "a", "start": 3}]}, "null", "both"),
    "end before start": ({**CASE, "evidence": [{"document": "a", "start": 3, "end": 3}]}, "3", "after"),
    "negative start": ({**CASE, "evidence": [{"document": "a", "start": -1, "end": 3}]}, "-1", "from 0"),
    "offsets that are no numbers": ({**CASE, "evidence": [{"document": "a", "start": "0", "end": "3"}]}, '"0"', "0"),
    "grade 0": ({**CASE, "evidence": [{"document": "a", "grade": 0}]}, '"grade": 0', "1 or more"),
    "unknown field": ({**CASE, "anwsers": []}, '"anwsers"', '"answers"'),
    "a field of another tool": ({**CASE, "ground_truth": "a"}, '"ground_truth"', '"answers"'),
    "a field like none of ours": ({**CASE, "zzz": 1}, '"zzz"', "Use only"),
    "unknown field of evidence": ({**CASE, "evidence": [{"document": "a", "text": "b"}]}, '"text"', "Use only"),
    "not answerable, with answers": ({**CASE, "answerable": False, "answers": ["a"]}, "yet", "answers"),
    "a list": ("[1]\n", "not a JSON object", "jq"),
    "several lines of one object": ('{"id": "1",\n', "not JSON", "per line"),
    "a number": ("7\n", "not a JSON object", "per line"),
    "text": ("What is it?\n", "not JSON", "per line"),
    "two objects": ('{"id": "1", "question": "?"} {"id": "2", "question": "?"}\n', "not JSON", "per line"),
    "NaN": ('{"id": "1", "question": "?", "score": NaN}\n', "NaN", "numbers"),
    "a key twice": ('{"id": "1", "question": "?", "question": "!"}\n', '"question" twice', "once"),
    "half a character": ('{"id": "1", "question": "\\ud83d"}\n', "surrogate", "UTF-8"),
    "nested without end": ("[" * 100_000 + "\n", "not JSON we can read", "per line"),
    "a number of thousands of digits": ('{"id": ' + "9" * 5_000 + "}\n", "not JSON we can read", "per line"),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_named_with_its_line_and_the_remedy(path, fault):
    row, what, remedy = fault
    error = refused(lines(path, {"id": "first", "question": "fine"}, "\n", row))
    assert error.message.startswith(f"{path}:3 ")
    assert what in error.message
    assert remedy in error.hint
    assert error.message.endswith("nothing was read.")
    assert error.message.isprintable()


def test_a_repeated_id_names_both_lines(path):
    error = refused(lines(path, CASE, {"id": "2", "question": "?"}, CASE))
    assert f"{path}:3" in error.message
    assert "line 1" in error.message


def test_a_number_and_its_text_are_one_id(path):
    assert "repeats" in refused(lines(path, {"id": 7, "question": "a"}, {"id": "7", "question": "b"})).message


def test_all_faults_are_named_at_once_up_to_twenty(path):
    error = refused(lines(path, CASE, {"id": "2"}, {"question": "?", "x": 1}, "no\n"))
    assert "4 faults" in error.message
    assert [line.split(":")[0] for line in error.message.splitlines()[1:]] == [
        "  line 2",
        *["  line 3"] * 2,
        "  line 4",
    ]
    error = refused(lines(path, *["no\n"] * 500))
    assert "20 faults or more" in error.message
    assert len(error.message.splitlines()) == 21


def test_a_byte_of_another_encoding_names_line_and_offset(path):
    path.write_bytes('{"id": "1", "question": "für"}\n'.encode() + '{"id": "2", "question": "für"}\n'.encode("latin-1"))
    error = refused(path)
    assert f"{path}:2 is not UTF-8 text at byte 58 of the file (0xfc)" in error.message
    assert path.read_bytes()[58] == 0xFC
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert "byte 61 " in refused(path).message
    path.write_bytes(json.dumps(CASE).encode("utf-16"))
    assert "UTF-16" in refused(path).message


def test_a_line_without_end_is_refused_before_memory_is_filled(path):
    size = 64 * 1024 * 1024
    with path.open("wb") as file:
        file.write(json.dumps(CASE).encode() + b"\n")
        file.truncate(size)  # a sparse file: one line of NUL
    tracemalloc.start()
    error = refused(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert f"{path}:2 is longer than 4 MiB" in error.message
    assert peak < 5 * LONGEST_LINE


def test_memory_is_that_of_the_cases(path):
    padding = "x" * 2_000
    with path.open("w", encoding="utf-8") as file:
        for number in range(5_000):
            file.write(json.dumps({"id": str(number), "question": "same", "answers": [padding] * 4}) + "\n")
    tracemalloc.start()
    cases = read_cases(path)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(cases) == 5_000
    assert peak < kept + 2_000_000


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(NotFound, match="none"):
        read_cases(tmp_path / "none.jsonl")
    assert "folder" in refused(tmp_path).message
    os.mkfifo(tmp_path / "pipe")
    assert "regular" in refused(tmp_path / "pipe").message
    (tmp_path / "empty.jsonl").write_bytes(b"\n\n")
    assert "no cases" in refused(tmp_path / "empty.jsonl").message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(path):
    lines(path, CASE).chmod(0)
    with pytest.raises(Unreadable):
        read_cases(path)


def test_gold_that_is_not_in_the_documents_is_a_fault_of_its_line(path):
    corpus = Texts({"docs/a.md": "One. Two is here."})
    good = {**CASE, "evidence": [{"document": "a.md", "quote": "Two is"}]}
    assert len(read_cases(lines(path, good), corpus=corpus)) == 1
    bad = [
        {"id": "2", "question": "?", "evidence": [{"document": "a.md", "quote": "Three"}]},
        {"id": "3", "question": "?", "evidence": [{"document": "b.md", "quote": "Two"}]},
        {"id": "4", "question": "?", "evidence": [{"document": "a.md", "start": 5, "end": 500}]},
    ]
    error = refused(lines(path, good, *bad), corpus=corpus, documents_required=True)
    for number, what in ((2, "Three"), (3, "b.md"), (4, "500")):
        assert any(line.startswith(f"  line {number}:") and what in line for line in error.message.splitlines())
    # A document that is not here may be one of a system elsewhere.
    assert len(read_cases(lines(path, good, bad[1]), corpus=corpus)) == 2


def test_a_bad_line_is_shown_without_its_end_and_with_the_example_of_its_own_file(tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_text("nonsense\n", encoding="utf-8")
    with pytest.raises(BadInput) as of_cases:
        read_cases(path)
    assert "nonsense;" in of_cases.value.message
    with pytest.raises(BadInput) as of_labels:
        read_labels(path)
    assert '"label"' in of_labels.value.hint

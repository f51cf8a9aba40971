"""Test sets in the field's formats: read as cases and documents, or refused with what is wrong and where."""

import json

import pytest

from assay.errors import BadInput, NotFound
from assay.evals.case import Case, Evidence
from assay.evals.datasets.beir import read_beir
from assay.evals.datasets.mapped import read_csv, read_mapped
from assay.evals.datasets.squad import read_squad
from assay.evals.gold import Texts, resolve_all
from assay.index.ingest import ingest_documents
from assay.index.store import Store
from assay.models.scripted import ScriptedEmbedder
from index_processes import SETTINGS

CONTEXT = "The Panthers gave up 308 points. The 308 points were few.\n"


def question(name="q1", asked="How many?", **more):
    return {"id": name, "question": asked, "answers": [{"text": "308", "answer_start": 21}]} | more


def squad(path, *questions, context=CONTEXT, title="Super/Bowl_50", indent=None):
    articles = [{"title": title, "paragraphs": [{"context": context, "qas": list(questions)}]}]
    path.write_text(json.dumps({"version": "1.1", "data": articles}, indent=indent), "utf-8")
    return path


def test_squad_paragraphs_are_documents_and_answers_spans_of_them(tmp_path):
    second = question("q2", answers=[{"text": "few", "answer_start": 52}, *[{"text": "308", "answer_start": 37}] * 2])
    third = question("q3", "Who?", answers=[], is_impossible=True, plausible_answers=[{"text": "x", "answer_start": 0}])
    dataset = read_squad(squad(tmp_path / "mine.json", question(), second, third))
    source = "mine/Super_Bowl_50/00.txt"
    assert list(dataset.cases) == [
        Case("q1", "How many?", ("308",), (Evidence(source, "308", 21, 24),), cluster="Super/Bowl_50"),
        Case("q2", "How many?", ("few", "308"), (Evidence(source, "308", 37, 40),), cluster="Super/Bowl_50"),
        Case("q3", "Who?", answerable=False, cluster="Super/Bowl_50"),
    ]
    (document,) = dataset.documents()
    assert (document.source, document.text, document.title) == (source, CONTEXT, "Super/Bowl 50")
    golds = resolve_all(dataset.cases, Texts({source: document.text}), required=True)
    assert [(gold.start, gold.end) for pieces in golds for gold in pieces] == [(21, 24), (37, 40)]


def test_an_answer_beside_its_offset_is_found_nearby(tmp_path):
    astray = question(answers=[{"text": "308", "answer_start": 35}])
    (case,) = read_squad(squad(tmp_path / "a.json", astray)).cases
    assert case.evidence[0].start == 37


def test_articles_of_one_title_are_kept_apart(tmp_path):
    paragraph = {"context": CONTEXT, "qas": []}
    articles = [
        {"title": "T", "paragraphs": [paragraph]},
        {"title": "T", "paragraphs": [{**paragraph, "qas": [question()]}]},
    ]
    (tmp_path / "a.json").write_text(json.dumps({"data": articles}), "utf-8")
    dataset = read_squad(tmp_path / "a.json")
    assert [document.source for document in dataset.documents()] == ["a/T/00.txt", "a/T (2)/00.txt"]
    assert dataset.cases[0].evidence[0].document == "a/T (2)/00.txt"


@pytest.mark.parametrize(
    ("bad", "match"),
    [
        (question("bad", answers=[{"text": "309", "answer_start": 21}]), "not in its paragraph: 309"),
        (question("bad", answers=[{"text": "", "answer_start": 21}]), "not in its paragraph"),
        (question("bad", answers=["308"]), "not in its paragraph: 308"),
        (question("bad", answers=[], is_impossible=False), "no answers"),
        (question("bad", answers=7), "no list"),
        (question("bad", is_impossible="yes"), "no true or false"),
        (question("bad", ""), "asks nothing"),
        ({"question": "?"}, 'without an "id"'),
        (question("q1", "again"), 'repeats the id "q1"'),
    ],
)
def test_a_squad_question_that_is_wrong_is_named(tmp_path, bad, match):
    path = squad(tmp_path / "a.json", question(), bad, indent=1)
    with pytest.raises(BadInput, match=match) as caught:
        read_squad(path)
    assert caught.value.hint
    if "bad" in match or bad.get("id") == "bad":
        line = int(caught.value.message.split(":")[1].split(" ")[0])
        assert '"bad"' in path.read_text("utf-8").splitlines()[line - 1]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"{", "not JSON"),
        (b"[]", "no list of articles"),
        (b'{"data": [7]}', "article 1"),
        (b'{"data": [{"title": "t", "paragraphs": [{"qas": []}]}]}', "paragraph 0"),
        (b'{"data": []}', "no questions"),
        (b'{"data": [\n"\xff"]}', ":2 is not UTF-8"),
        (b"[" * 100_000, "not JSON we can read"),
    ],
)
def test_a_file_that_is_no_squad_file_is_refused(tmp_path, content, match):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(BadInput, match=match):
        read_squad(tmp_path / "a.json")


def test_xquad_is_read_and_every_answer_resolves(data_folder):
    for language in ("en", "de"):
        dataset = read_squad(data_folder / "qa" / "xquad" / f"xquad.{language}.json")
        texts = {document.source: document.text for document in dataset.documents()}
        assert (len(dataset.cases), len(texts), len({case.cluster for case in dataset.cases})) == (1190, 240, 48)
        golds = resolve_all(dataset.cases, Texts(texts), required=True)
        assert all(gold.quote in case.answers for case, (gold,) in zip(dataset.cases, golds, strict=True))


def beir(folder, qrels="query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td2\t0\nq2\td1\t-1\n", queries=("q1", "q2")):
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    (folder / "qrels" / "test.tsv").write_text(qrels, "utf-8")
    (folder / "queries.jsonl").write_text(
        "".join(json.dumps({"_id": q, "text": f"{q}?"}) + "\n" for q in queries), "utf-8"
    )
    documents = [
        {"_id": "d1", "title": "One", "text": "first"},
        {"_id": "d2", "text": "second"},
        {"_id": "d3", "text": ""},
    ]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in documents), "utf-8")
    return folder


async def test_beir_judgements_are_evidence_as_whole_documents_and_the_documents_can_be_ingested(tmp_path, database):
    dataset = read_beir(beir(tmp_path / "mini"))
    assert list(dataset.cases) == [
        Case("q1", "q1?", evidence=(Evidence("mini/d1", grade=2),)),
        Case("q2", "q2?"),
    ]
    report = await ingest_documents(
        dataset.documents(), store=Store(database), embedder=ScriptedEmbedder(dimensions=16), settings=SETTINGS
    )
    assert (report.documents, report.failed) == (2, ())
    assert [document.source for document in dataset.documents()] == ["mini/d1", "mini/d2"]


def test_a_beir_judgement_of_no_document_is_named_with_its_line(tmp_path):
    with pytest.raises(BadInput, match=r"qrels:2 of test\.tsv judges document d9 for query q1"):
        read_beir(beir(tmp_path, "h\th\th\nq1\td9\t1\nq1\td3\t1\n"))  # d3 is there, if only without text
    (tmp_path / "queries.jsonl").write_text('{"_id": "q0", "text": "x"}\n{"_id": "q1", "text": " "}\n', "utf-8")
    with pytest.raises(BadInput, match=r"queries\.jsonl:2 has query q1 without text"):
        read_beir(beir_qrels(tmp_path))
    with pytest.raises(NotFound, match="qrels"):
        read_beir(tmp_path / "none")


def beir_qrels(folder):
    (folder / "qrels" / "test.tsv").write_text("q1\td1\t1\n", "utf-8")
    return folder


def test_jsonl_of_another_shape_is_read_by_usual_names_and_by_those_given(tmp_path):
    path = tmp_path / "rows.jsonl"
    rows = [
        {"user_input": "Why?", "ground_truth": "a|b", "category": ["x"], "score": 1},
        {"user_input": "How?", "ground_truth": ["c", "d"], "source": "a.md", "context": "a | b", "user_id": 7},
        {"user_input": "When?", "is_answerable": "no", "source": "b.md"} | {"is_answerable": False, "source": ""},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    cases = read_mapped(path)
    assert cases == [
        Case(cases[0].id, "Why?", answers=("a|b",), tags=("x",)),
        Case(cases[1].id, "How?", answers=("c", "d"), evidence=(Evidence("a.md", "a | b"),), cluster="7"),
        Case(cases[2].id, "When?", answerable=False),
    ]
    assert len({case.id for case in cases}) == 3
    path.write_text(json.dumps({"meta": {"no": 5}, "q": {"text": "Why?"}, "question": "not this"}) + "\n", "utf-8")
    assert read_mapped(path, {"id": "meta.no", "question": "q.text"}) == [Case("5", "Why?")]
    with pytest.raises(BadInput, match=r"rows.jsonl:1 has no question") as caught:
        read_mapped(path, {"question": "nothing"})
    assert "meta, q, question" in caught.value.hint
    with pytest.raises(BadInput, match="no field nonsense"):
        read_mapped(path, {"nonsense": "q"})


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_csv_is_read_with_its_delimiter_quotes_and_line_breaks(tmp_path, mark):
    path = tmp_path / "rows.csv"
    rows = [
        ["Id", "Question", "Answers", "Tags", "Cluster", "answerable", "Expected Output"],
        ["1", '"Why, or; why\tnot?\nSay ""it""."', "Paris|the city", "a|b", "c", "", "ignored: answers come first"],
        ["2", "How?", "", "", "", "No", ""],
    ]
    path.write_text("\ufeff" + "\r\n".join(mark.join(row) for row in rows) + "\r\n\r\n", "utf-8", newline="")
    assert read_csv(path) == [
        Case("1", 'Why, or; why\tnot?\nSay "it".', answers=("Paris", "the city"), tags=("a", "b"), cluster="c"),
        Case("2", "How?", answerable=False),
    ]


def test_csv_columns_can_be_named(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("frage,question\nWarum?,no\n", "utf-8")
    (case,) = read_csv(path, {"question": "frage"})
    assert (case.question, case.answers) == ("Warum?", ())


@pytest.mark.parametrize(
    ("content", "line", "what"),
    [
        ("question,answer\nfine,x\nbroken\n", 3, "has 1 cells, and the header 2"),
        ('question,answer\n"two\nlines",x\nbroken,x,y\n', 4, "has 3 cells"),
        ('question,answer\nfine,x\nbroken,x,"y\nz"\n', 3, "has 3 cells"),
        ('question,answer\nfine,x\n"never closed,x\nmore\n', 3, "cannot be read as CSV"),
        ('question,answer\n"a" b,x\n', 2, "cannot be read as CSV"),
        ("question,question\na,b\n", 1, "twice"),
        ("topic,answer\na,b\n", 2, "has no question"),
        ("question,answer\n,b\n", 2, 'an empty "question"'),
        ("question,answerable\na,perhaps\n", 2, '"perhaps"'),
        ("id,question\n1,a\n1,b\n", 3, "repeats the id"),
        ("question\na\na\n", 3, "repeats the id"),
        ("question,answer\na," + "x" * 200_000 + "\n", 2, "cannot be read as CSV"),
    ],
)
def test_a_bad_csv_row_is_named_by_its_line(tmp_path, content, line, what):
    path = tmp_path / "rows.csv"
    path.write_text(content, "utf-8")
    with pytest.raises(BadInput) as caught:
        read_csv(path)
    assert caught.value.message.startswith(f"{path}:{line} ")
    assert what in caught.value.message
    assert caught.value.hint


def test_csv_of_another_encoding_names_line_and_byte(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(b"question\nfine\n" + "für\n".encode("latin-1"))
    with pytest.raises(BadInput, match=r"rows\.csv:3 is not UTF-8 text at byte 15"):
        read_csv(path)
    path.write_bytes(b"question\n")
    with pytest.raises(BadInput, match="no cases"):
        read_csv(path)
    path.write_bytes(b"")
    with pytest.raises(BadInput, match="no cases"):
        read_csv(path)

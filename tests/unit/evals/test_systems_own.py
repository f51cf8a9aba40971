"""Assay's own answers and retrievers as systems, what names them, and the one question before a run."""

import shutil
import sys
from pathlib import Path

import pytest

import assay.answers
from assay.answers.outcome import Answer, Citation, Declined
from assay.documents.document import Passage
from assay.errors import NotFound, TimedOut
from assay.evals.output import Cited, Retrieved
from assay.evals.system import System
from assay.evals.systems.callables import CallableSystem
from assay.evals.systems.own import OwnSystem
from assay.evals.systems.probe import probe
from assay.evals.systems.retrievers import RetrieverSystem
from assay.evals.systems.subject import code_version, subject_of
from assay.gateway.replica import replica
from assay.gateway.tally import in_force, tallying
from assay.index.hit import Hit
from assay.models.chat import Usage

HIT = Hit(Passage("id", 0, 10, 21, "Thirty days"), "docs/a.md", "Returns", 0.5)


async def ask(question):
    in_force().paid(0.25)
    in_force().paid(None)
    if question == "?":
        return Declined("Not there.", (HIT,), confidence=0.1)
    citation = Citation(1, "docs/a.md", "id", 10, 16, "Thirty")
    return Answer("Thirty [1].", (citation,), (HIT,), Usage(9), 0.25, 5.0, "t1", 0.9, ("odd",))


async def test_an_outcome_keeps_everything_that_scorers_and_pages_read():
    system = OwnSystem(ask, name="assay", subject="s", spec={"settings": {"k": 3}})
    assert isinstance(system, System)
    with tallying() as counts:
        output = await system("how long?")
    assert output.text == "Thirty [1]."
    assert output.citations == (Cited("docs/a.md", "Thirty", 10, 16),)
    assert output.passages == (Retrieved("docs/a.md", "Thirty days", 10, 21, 0.5),)
    assert (output.confidence, output.cost_usd, output.latency_ms, output.trace_id) == (0.9, 0.25, 5.0, "t1")
    assert (output.usage, output.calls, output.extra) == (Usage(9), 2, {"flags": ["odd"]})
    assert (counts.paid_calls, counts.unpriced_calls) == (2, 1)
    declined = await system("?")
    assert (declined.declined, declined.text, declined.confidence) == (True, "Not there.", 0.1)
    assert declined.latency_ms > 0
    assert system.spec == {"kind": "own", "settings": {"k": 3}}


async def test_a_retriever_gives_passages_and_no_text():
    class Retriever:
        async def search(self, question, *, k=None, mode=None, where=None):
            in_force().paid(0.0)
            return [HIT] * (k or 1)

    system = RetrieverSystem(Retriever(), name="search", subject=None, k=2)
    assert isinstance(system, System)
    output = await system("q")
    assert (system.kind, output.text, len(output.passages), output.calls, output.cost_usd) == (
        "retriever",
        "",
        2,
        1,
        0.0,
    )


async def test_closing_twice_closes_once():
    closed = []

    async def close():
        closed.append(1)

    for system in (
        OwnSystem(ask, name="a", subject=None, close=close),
        RetrieverSystem(None, name="r", subject=None, close=close),
    ):
        await system.aclose()
        await system.aclose()
    assert closed == [1, 1]


def test_a_subject_is_named_by_every_part_whatever_their_order():
    first = subject_of({"settings": {"k": 3, "mode": "fused"}, "models": ["a"]})
    assert first == subject_of({"models": ["a"], "settings": {"mode": "fused", "k": 3}})
    assert first != subject_of({"models": ["a"], "settings": {"mode": "fused", "k": 4}})
    with pytest.raises(ValueError, match="at least one part"):
        subject_of({})
    with pytest.raises(TypeError):
        subject_of({"path": Path()})


def test_the_code_version_moves_with_any_line_and_only_then(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    shutil.copytree(Path(assay.answers.__file__).parent, tmp_path / "copied_answers")

    def now():
        code_version.cache_clear()
        sys.path_importer_cache.clear()
        return code_version("copied_answers")

    before = now()
    (tmp_path / "copied_answers" / "__pycache__").mkdir(exist_ok=True)
    (tmp_path / "copied_answers" / "__pycache__" / "x.pyc").write_bytes(b"1")
    assert now() == before
    file = tmp_path / "copied_answers" / "settings.py"
    file.write_text(file.read_text() + "\n")
    assert now() != before
    weights = tmp_path / "copied_answers" / "weights.json"
    middle = now()
    weights.write_text("{}")
    assert now() != middle
    code_version.cache_clear()
    assert len(code_version()) == 16
    assert code_version() != code_version("assay.answers")
    with pytest.raises(NotFound):
        code_version("assay.nothing")


async def test_a_probe_is_asked_once_and_its_bill_goes_to_the_case_that_uses_it():
    asked = []

    def search(question):
        asked.append(question)
        return [question]

    with tallying() as before:
        probed = await probe(CallableSystem(search), "first")
    assert isinstance(probed, System)
    assert (probed.kind, before.paid_calls) == ("retriever", 0)
    replica.set(1)
    with tallying() as other:
        await probed("first")
    assert asked == ["first"] * 2  # a resample is no copy
    replica.set(0)
    with tallying() as counts:
        assert (await probed("first")).passages == (Retrieved("", "first"),)
    with tallying() as again:
        await probed("first")
    assert asked == ["first"] * 3
    assert (other.paid_calls, counts.paid_calls, again.paid_calls) == (1, 1, 1)
    await probed.aclose()


async def test_a_probe_that_fails_fails_before_the_run():
    def slow(question):
        raise TimedOut("slow")

    with pytest.raises(TimedOut):
        await probe(CallableSystem(slow), "first")

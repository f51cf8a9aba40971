"""Whatever tree of spans ran, reading gives back that tree, with nothing lost, doubled or moved."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.ledger.database import Database, open_database, sqlite_url
from assay.ledger.recorder import Recorder
from assay.ledger.redaction import storable, without_keys
from assay.ledger.settings import LedgerSettings
from assay.ledger.spans import span
from assay.ledger.traces import RecordedSpan, load, waterfall

WORDS = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
VALUES = st.one_of(
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.lists(st.integers(0, 9), max_size=3),
)
# Names of our own, so that no value meets the type of a column or the name of a secret.
ATTRIBUTES = st.dictionaries(WORDS.map("x.{}_x".format), VALUES, max_size=3)
TREES = st.recursive(
    st.tuples(WORDS, ATTRIBUTES, st.just([])),
    lambda children: st.tuples(WORDS, ATTRIBUTES, st.lists(children, max_size=4)),
    max_leaves=15,
)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = open_database(sqlite_url(tmp_path_factory.mktemp("traces") / "assay.db"))
    yield database
    database.close()


@pytest.fixture(scope="module")
def recorder(database: Database) -> Iterator[Recorder]:
    with Recorder(database, LedgerSettings()) as recorder:
        yield recorder


def run(tree: Any) -> None:
    name, attributes, children = tree
    with span(name, attributes):
        for child in children:
            run(child)


def read(recorded: RecordedSpan) -> Any:
    own = {name: value for name, value in recorded.attributes.items() if name.startswith("x.")}
    return (recorded.name, own, [read(child) for child in recorded.children])


def size(tree: Any) -> int:
    return 1 + sum(size(child) for child in tree[2])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=TREES)
def test_a_trace_is_the_tree_that_ran(tree: Any, recorder: Recorder, database: Database) -> None:
    with recorder.span("root") as root:
        run(tree)
    assert recorder.flush(20)
    trace = load(database, root.trace_id)
    (recorded,) = trace.roots[0].children
    assert read(recorded) == tree
    rows = waterfall(trace)
    assert len(rows) == size(tree) + 1
    for row in rows:
        assert 0 <= row.offset_share <= 1
        assert row.offset_share + row.share <= 1 + 1e-9


@given(text=st.text(max_size=200))
def test_redaction_is_settled_after_one_pass(text: str) -> None:
    once = without_keys(text)
    assert without_keys(once) == once


@given(attributes=st.dictionaries(WORDS.map("assay.{}".format), st.text(max_size=80), max_size=5))
def test_no_sentence_survives_when_content_may_not_be_recorded(attributes: dict[str, str]) -> None:
    kept = storable(attributes, record_content=False)
    assert not any(" " in value for value in kept.values() if isinstance(value, str))
    for name, value in attributes.items():
        assert kept.get(f"{name}.length", len(value)) == len(value)

"""Whatever is imported, renamed, decided or opened, in any order: what was dev is dev, and nothing becomes fresh."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from assay.decisions.evidence_budget import EvidenceBudget
from assay.decisions.split import SplitStore
from assay.evals.case import Case
from assay.ledger.database import Database, open_database, sqlite_url

# A version of the set: for each of its cases (by number) the cluster it is said to be in, "" for none.
VERSIONS = st.dictionaries(st.integers(0, 30), st.sampled_from(["", *"abcdefghij"]), min_size=1)
ACTS = st.one_of(VERSIONS, st.just("decide"), st.integers(0, 30))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    opened = open_database(sqlite_url(Path(tmp_path_factory.mktemp("split")) / "assay.db"))
    yield opened
    opened.close()


@settings(max_examples=40)
@given(acts=st.lists(ACTS, min_size=2, max_size=12))
@example([{0: "", 1: "a"}, 0, {0: "a"}, 0])  # a dev case is said to be in a confirm cluster
def test_no_history_makes_a_seen_case_fresh(shared: Database, acts: list[dict[int, str] | str | int]) -> None:
    store, budget, name = SplitStore(shared), EvidenceBudget(shared), secrets.token_hex(8)
    ever_dev: set[str] = set()
    oldest: dict[str, int] = {}
    charges = 0
    known: set[str] = set()
    for act in acts:
        if act == "decide":
            budget.take(name, max(oldest.values(), default=1), secrets.token_hex(16))
        elif isinstance(act, int):
            if str(act) in known:
                opened = store.open_case(name, str(act))
                assert (opened.cost > 0) == (str(act) not in ever_dev) == bool(opened.clusters)
                charges += len(opened.clusters)
                ever_dev |= {str(act), *opened.case_ids}
        elif isinstance(act, dict):
            cases = [Case(str(number), f"Question {number}?", cluster=label) for number, label in act.items()]
            split = store.split(name, cases)
            assert split == store.split(name, cases)
            known |= {case.id for case in cases}
            confirm = {case.id: one.number for one in split.seasons for case in one.cases}
            assert {case.id for case in split.dev} | set(confirm) == {case.id for case in cases}
            assert not ever_dev & set(confirm)
            assert all(season <= oldest.get(case_id, season) for case_id, season in confirm.items())
            assert store.is_confirm(name, cases) == set(confirm)
            ever_dev |= {case.id for case in split.dev}
            oldest.update(confirm)
    lines = [line for season in range(1, 15) for line in budget.standing(name, season).lines]
    assert sum(line.cluster is not None for line in lines) == charges

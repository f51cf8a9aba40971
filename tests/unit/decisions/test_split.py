"""Dev and confirm, drawn once by cluster on both databases: whatever is imported later, nothing is drawn again."""

from dataclasses import replace

import pytest

from assay.decisions.evidence_budget import EvidenceBudget
from assay.decisions.split import SplitStore, label_of
from assay.errors import BadInput, NotFound
from assay.evals.case import Case
from assay.ledger.database import Database

EACH = 3


def cases_of(first: int, last: int, *, each: int = EACH) -> list[Case]:
    """Cases of clusters number `first` up to, but without, `last`."""
    return [Case(f"{c}-{i}", f"Question {i} of {c}?", cluster=f"c{c}") for c in range(first, last) for i in range(each)]


def ids(cases: list[Case]) -> set[str]:
    return {case.id for case in cases}


def test_clusters_are_drawn_once_and_stay_whole(database: Database) -> None:
    store, cases = SplitStore(database), cases_of(0, 40)
    split = store.split("s", cases)
    assert split == store.split("s", cases) == store.read("s", cases)
    assert ids(split.dev) | ids(split.confirm) == ids(cases)
    assert not {label_of(case) for case in split.dev} & {label_of(case) for case in split.confirm}
    assert len(split.dev) == 12 * EACH
    assert (split.season, split.waiting, split.unplaced, split.warnings) == (1, [], [], ())
    assert split.chosen().clusters == 28
    assert SplitStore(database).split("other", cases).dev != split.dev


def test_a_new_version_keeps_the_split_and_new_cases_follow_their_cluster(database: Database) -> None:
    store, cases = SplitStore(database), cases_of(0, 30)
    before = store.split("s", cases)
    changed = [replace(case, question=case.question + " Really?") for case in reversed(cases_of(0, 30, each=5))]
    after = store.split("s", changed)
    assert ids(before.dev) < ids(after.dev)
    assert {label_of(case) for case in before.dev} == {label_of(case) for case in after.dev}
    assert len(after.seasons) == 1


def test_fresh_clusters_join_an_unspent_season_and_begin_a_new_one_once_it_has_spent(database: Database) -> None:
    store, budget = SplitStore(database), EvidenceBudget(database)
    store.split("s", cases_of(0, 30))
    assert [one.number for one in store.split("s", cases_of(0, 60)).seasons] == [1]
    budget.take("s", 1, "a")
    split = store.split("s", cases_of(0, 100))
    assert [one.number for one in split.seasons] == [1, 2]
    assert {label_of(case) for case in split.seasons[1].cases} <= {label_of(case) for case in cases_of(60, 100)}
    assert len(split.dev) == (18 + 12) * EACH
    assert split.seasons[1].spending.next == pytest.approx(0.025)
    assert [one.number for one in store.split("s", cases_of(0, 110)).seasons] == [1, 2]


def test_the_season_that_sees_the_smallest_difference_is_decided_on(database: Database) -> None:
    store, budget = SplitStore(database), EvidenceBudget(database)
    store.split("s", cases_of(0, 100))
    budget.take("s", 1, "a")
    split = store.split("s", cases_of(0, 140))
    assert split.season == 1  # 70 clusters at alpha .0083 see a smaller one than 28 at .025
    assert ids(split.waiting) == ids(split.chosen(2).cases)
    for number in range(60):
        budget.take("s", 1, f"b{number}")
    split = store.split("s", cases_of(0, 140))
    assert (split.season, split.waiting) == (2, [])
    assert split.confirm == split.chosen(2).cases
    with pytest.raises(BadInput, match="season 3"):
        split.chosen(3)


def test_a_cluster_under_another_name_is_not_fresh(database: Database) -> None:
    store = SplitStore(database)
    alone = [replace(case, cluster="") for case in cases_of(0, 60, each=1)]
    before = store.split("s", alone)
    EvidenceBudget(database).take("s", 1, "a")
    after = store.split("s", [replace(case, cluster=f"new {case.id}") for case in alone])
    assert ids(after.dev) == ids(before.dev)
    assert [one.number for one in after.seasons] == [1]
    assert "60 cases were in another cluster" in after.warnings[0]
    joined = store.split("s", [replace(case, cluster="all one") for case in alone])
    assert joined.seasons == []
    with pytest.raises(BadInput, match="no confirm cases"):
        joined.chosen()


def test_a_case_of_a_spent_season_makes_no_cluster_of_a_fresh_one(database: Database) -> None:
    store = SplitStore(database)
    store.split("s", cases_of(0, 40))
    EvidenceBudget(database).take("s", 1, "a")
    both = store.split("s", cases_of(0, 80))
    spent, fresh = both.chosen(1).cases[0], both.chosen(2).cases[0]
    joined = [replace(case, cluster="joined") if case in (spent, fresh) else case for case in cases_of(0, 80)]
    assert {spent.id, fresh.id} <= ids(store.split("s", joined).chosen(1).cases)
    moved = [replace(case, cluster=fresh.cluster) if case == spent else case for case in cases_of(0, 80)]
    assert spent.id in ids(store.split("s", moved).chosen(1).cases)


def test_a_case_that_was_dev_stays_dev_wherever_it_goes(database: Database) -> None:
    store, cases = SplitStore(database), cases_of(0, 40)
    split = store.split("s", cases)
    seen, kept = split.dev[0], split.confirm[0].cluster
    moved = store.split("s", [replace(case, cluster=kept) if case.id == seen.id else case for case in cases])
    assert seen.id in ids(moved.dev)
    assert ids(moved.confirm) == ids(split.confirm)
    # And a confirm case that was in a cluster when it was opened is dev after it left it.
    guest, host = split.confirm[-1], split.confirm[0]
    store.split("s", [replace(case, cluster=host.cluster) if case.id == guest.id else case for case in cases])
    store.open_case("s", host.id)
    assert guest.id in ids(store.split("s", cases).dev)


def test_opening_a_case_moves_its_cluster_for_good_and_costs_one_step(database: Database) -> None:
    store, cases = SplitStore(database), cases_of(0, 40)
    split = store.split("s", cases)
    case = split.confirm[0]
    opened = store.open_case("s", case.id)
    assert opened.clusters == (case.cluster,)
    assert set(opened.case_ids) == {other.id for other in cases if other.cluster == case.cluster}
    assert opened.cost == pytest.approx(0.025)
    after = store.split("s", cases)
    assert ids(after.dev) - ids(split.dev) == set(opened.case_ids)
    assert after.chosen().spending.next == pytest.approx(0.05 / 6)
    again = store.open_case("s", opened.case_ids[1])
    assert (again.clusters, again.case_ids, again.cost) == ((), (), 0)
    assert store.open_case("s", split.dev[0].id).cost == 0
    assert store.split("s", cases) == after
    with pytest.raises(NotFound, match="nothing"):
        store.open_case("s", "nothing")


def test_confirm_cases_are_hidden_under_whatever_name_they_are_run(database: Database) -> None:
    store, cases = SplitStore(database), cases_of(0, 40)
    assert store.hidden(cases) == store.is_confirm("s", cases) == set()
    assert store.read("s", cases) is None
    split = store.split("s", cases)
    assert store.hidden(cases) == store.is_confirm("s", cases) == ids(split.confirm)
    renamed = [replace(case, id=f"x{case.id}", tags=("reviewed",), cluster="") for case in cases]
    assert store.is_confirm("s", renamed) == set()
    assert store.hidden(renamed) == {f"x{name}" for name in ids(split.confirm)}
    copied = store.split("copy", renamed)
    assert any("120 of these questions are in the set s too" in warning for warning in copied.warnings)


def test_reading_places_nothing(database: Database) -> None:
    store = SplitStore(database)
    store.split("s", cases_of(0, 30))
    found = store.read("s", cases_of(0, 32))
    assert found is not None
    assert ids(found.unplaced) == ids(cases_of(30, 32))


def test_few_clusters_are_kept_whole_for_decisions_and_said_so(database: Database) -> None:
    store = SplitStore(database)
    split = store.split("s", cases_of(0, 19))
    assert (split.dev, len(split.confirm)) == ([], 19 * EACH)
    assert "19 clusters are too few to split" in split.warnings[0]
    grown = store.split("s", cases_of(0, 119))
    assert ids(split.confirm) <= ids(grown.confirm)
    assert len(grown.dev) == 30 * EACH
    assert grown.warnings == ()


def test_the_share_is_fixed_at_the_first_split(database: Database) -> None:
    store = SplitStore(database)
    assert len(store.split("s", cases_of(0, 40), dev_share=0.5).dev) == 20 * EACH
    assert store.split("s", cases_of(0, 40)).dev_share == 0.5
    with pytest.raises(BadInput, match="never drawn again"):
        store.split("s", cases_of(0, 40), dev_share=0.3)
    assert store.split("none", cases_of(0, 40), dev_share=0).dev == []
    for wrong in (-0.1, 1.0, float("nan")):
        with pytest.raises(BadInput, match="dev share"):
            store.split("t", cases_of(0, 40), dev_share=wrong)
    with pytest.raises(BadInput, match="no cases"):
        store.split("t", [])


def test_clusters_that_come_one_by_one_are_drawn_at_the_same_share(sqlite_database: Database) -> None:
    store = SplitStore(sqlite_database)
    store.split("s", cases_of(0, 20, each=1), dev_share=0.25)
    for last in range(21, 121):
        split = store.split("s", cases_of(0, last, each=1))
    assert 5 + 8 <= len(split.dev) <= 5 + 42  # four standard deviations about 25 of the 100


def test_names_no_database_takes_are_kept_apart(database: Database) -> None:
    store = SplitStore(database)
    long = "long " * 2_000
    odd = [Case("nul\0", "?", cluster="a\0b"), Case("\ud800", "!", cluster=long), Case("x", "?!", cluster=long + "b")]
    split = store.split("s", [*odd, *cases_of(0, 40)])
    assert ids(odd) <= ids(split.dev) | ids(split.confirm)
    store.open_case("s", "\ud800")
    assert "\ud800" in ids(store.split("s", odd).dev)


def test_a_season_has_one_order_drawn_with_the_split(database: Database) -> None:
    store = SplitStore(database)
    with pytest.raises(NotFound):
        store.order_seed("s", 1)
    store.split("s", cases_of(0, 30))
    seeds = [store.order_seed("s", season) for season in (1, 1, 2)]
    assert seeds[0] == seeds[1] != seeds[2]

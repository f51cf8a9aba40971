"""The frontier against its definition, tried out on every row of small sets full of ties and unknowns."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from assay.decisions.race.frontier import frontier

_ROW = st.fixed_dictionaries(
    {},
    optional={
        "score": st.one_of(st.none(), st.sampled_from([0.0, 0.5, 0.6, 1.0])),
        "cost_usd": st.one_of(st.none(), st.sampled_from([0.0, 0.01, 0.02])),
        "p95_ms": st.one_of(st.none(), st.sampled_from([1.0, 2.0, 3.0])),
    },
)


@given(st.lists(_ROW, max_size=7))
def test_a_row_is_on_it_unless_another_is_as_good_in_all_and_better_in_one(rows: list[dict[str, Any]]) -> None:
    on = frontier(rows)
    assert on == sorted(set(on))
    scored = [place for place, row in enumerate(rows) if row.get("score") is not None]
    expected = [place for place in scored if not any(_dominates(rows, other, place) for other in scored)]
    assert on == expected
    if scored:
        assert on, "somebody is best"
        best = max(rows[place]["score"] for place in scored)
        assert any(rows[place]["score"] == best for place in on)


@given(st.lists(_ROW, max_size=7), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(rows: list[dict[str, Any]], random: Any) -> None:
    places = list(range(len(rows)))
    random.shuffle(places)
    assert sorted(places[place] for place in frontier([rows[place] for place in places])) == frontier(rows)


def _dominates(rows: list[dict[str, Any]], one: int, other: int) -> bool:
    """By the definition, a coordinate at a time."""
    better = rows[one]["score"] > rows[other]["score"]
    worse = rows[one]["score"] < rows[other]["score"]
    for key in ("cost_usd", "p95_ms"):
        known = [row[key] for row in rows if row.get(key) is not None]
        if not known:
            continue
        ours, theirs = rows[one].get(key), rows[other].get(key)
        # Unknown beside known: dearer than anything.
        better = better or (ours is not None and (theirs is None or ours < theirs))
        worse = worse or (theirs is not None and (ours is None or theirs < ours))
    return better and not worse


def test_unknown_costs_win_nothing_and_what_nobody_knows_counts_for_nobody() -> None:
    rows = [
        {"score": 0.6, "cost_usd": None, "p95_ms": None},
        {"score": 0.6, "cost_usd": 0.02, "p95_ms": None},
        {"score": 0.5, "cost_usd": 0.01, "p95_ms": None},
        {"score": 0.4, "cost_usd": 0.01, "p95_ms": None},
        {"score": None, "cost_usd": 0.0, "p95_ms": None},
    ]
    assert frontier(rows) == [1, 2]
    assert frontier([{"score": 0.5}, {"score": 0.5}, {"score": 0.4}]) == [0, 1]
    assert frontier([]) == []

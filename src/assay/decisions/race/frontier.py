"""Who is best at what they cost: arms that no other beats in quality, cost and latency at once.

Proved by `tests/unit/decisions/race/test_frontier.py` against every subset of small sets.
"""

from collections.abc import Mapping, Sequence
from typing import Any


def frontier(rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Places of the rows on the frontier of `score` (more is better), `cost_usd` and `p95_ms` (less is better).

    A row without a score is not on it. A cost that is not known anywhere counts for nobody; where only some are known,
    the unknown ones count as the dearest: nothing unknown wins by being unknown.
    """
    known = [place for place, row in enumerate(rows) if row.get("score") is not None]
    points = {place: (float(rows[place]["score"]), *_costs(rows, place)) for place in known}
    return [place for place in known if not any(_beats(points[other], points[place]) for other in known)]


def _costs(rows: Sequence[Mapping[str, Any]], place: int) -> tuple[float, float]:
    found = []
    for key in ("cost_usd", "p95_ms"):
        value = rows[place].get(key)
        some = any(row.get(key) is not None for row in rows)
        found.append(float(value) if value is not None else float("inf") if some else 0.0)
    return found[0], found[1]


def _beats(one: tuple[float, float, float], other: tuple[float, float, float]) -> bool:
    as_good = one[0] >= other[0] and one[1] <= other[1] and one[2] <= other[2]
    return as_good and one != other

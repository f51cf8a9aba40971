"""The fixed random order in which the cases of a decision are folded, drawn before the first result.

Clusters are shuffled whole and their cases inside them, by the SHA-256 of a seed with each name: the order depends on
the seed, the clusters' names and the cases' ids and on nothing else, neither the order of a file nor the platform.
Adding a case leaves the others in their order, so what was answered for an earlier decision is met early again.
Invariant: an order is a permutation in which the cases of a cluster are neighbours.
Proved by `tests/unit/decisions/test_order.py`.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from assay.evals.case import Case


@dataclass(frozen=True, slots=True)
class Ordering:
    """Cases in the order they are folded in.

    `clusters` names the unit each case belongs to (`cluster_of`), or is None where every case stands alone. `digest` is
    a SHA-256 (hex) over the ids in this order.
    """

    cases: list[Case]
    clusters: list[str] | None
    seed: str
    digest: str

    def first(self, most: int) -> "Ordering":
        """At most so many cases from the start, in whole clusters: the order of the rest is not touched by it."""
        if most >= len(self.cases):
            return self
        kept = max(0, most)
        while kept and self.clusters is not None and self.clusters[kept - 1] == self.clusters[kept]:
            kept -= 1
        cases = self.cases[:kept]
        clusters = None if self.clusters is None else self.clusters[:kept]
        return Ordering(cases, clusters, self.seed, _digest(cases))


def cluster_of(case: Case) -> str:
    """The unit a case moves with: its cluster, or "=" and its id where it names none."""
    return case.cluster or f"={case.id}"


def ordered(cases: Sequence[Case], *, seed: str) -> Ordering:
    """The cases in the order `seed` draws. Raises ValueError for two cases of one id: their places would be one."""
    if len({case.id for case in cases}) != len(cases):
        raise ValueError("two cases have one id")
    places = {label: _place(seed, "cluster", label) for label in {cluster_of(case) for case in cases}}

    def place(case: Case) -> tuple[bytes, str, bytes, str]:
        label = cluster_of(case)
        return places[label], label, _place(seed, "case", case.id), case.id

    found = sorted(cases, key=place)
    alone = len(places) == len(found)
    return Ordering(
        cases=found,
        clusters=None if alone else [cluster_of(case) for case in found],
        seed=seed,
        digest=_digest(found),
    )


def _digest(cases: Sequence[Case]) -> str:
    ids = json.dumps([case.id for case in cases])  # escapes what UTF-8 has no bytes for
    return hashlib.sha256(ids.encode()).hexdigest()


def _place(seed: str, kind: str, name: str) -> bytes:
    return hashlib.sha256(json.dumps([seed, kind, name]).encode()).digest()

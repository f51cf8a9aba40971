"""A person's labels where they tell the most about this difference: which to ask for, and the verdict they give.

The judge's differences split the folded questions into strata (candidate worse, equal, better, and answers that are
the same text, which need no label); labels go where weight times spread is largest (Neyman), in an order drawn
from the decision's id. Who answered what is hidden and the sides change at random, so a label cannot favour a side.

A labelled verdict promotes only where the judge's sequential test did and the labels' own interval, at the same level,
lies above 0: a judge that flatters the candidate is caught, and stopping at a high point buys nothing.
Proved by `tests/oracles/test_labelled_verdict.py` and `tests/unit/decisions/test_labels.py`.
"""

import hashlib
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np
import sqlalchemy as sa

from assay.decisions.hypothesis import Margins, Objective
from assay.decisions.rules import read_verdict
from assay.decisions.tables import label as table
from assay.ledger.database import Database
from assay.stats.clusters import as_codes, cluster_sums
from assay.stats.mean import clustered_se
from assay.stats.ppi import Calibrated, Stratum, neyman, ppi_difference
from assay.stats.verdict import Verdict

FLOOR = 8
PILOT_SPREADS = {-1: 0.5, 0: 0.25, 1: 0.5}
SAME = 2
"""The stratum of questions that both answered with the same text."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A folded question: its place in the order, both answers, and the judge's difference (candidate - incumbent)."""

    ordinal: int
    case_id: str
    question: str
    incumbent: str
    candidate: str
    difference: float
    cluster: str | None = None
    references: tuple[str, ...] = ()

    @property
    def stratum(self) -> int:
        """-1, 0 or 1 by the judge's difference; `SAME` where there is nothing to compare."""
        if self.incumbent == self.candidate:
            return SAME
        return int(np.sign(self.difference))


@dataclass(frozen=True, slots=True)
class Label:
    """What a person said of both answers to a question: right (1) or wrong (0), or anything between."""

    id: str
    case_id: str
    ordinal: int
    stratum: int
    incumbent: float
    candidate: float
    labeller: str

    @property
    def difference(self) -> float:
        """Candidate minus incumbent."""
        return self.candidate - self.incumbent


@dataclass(frozen=True, slots=True)
class Shown:
    """A question as a labeller sees it: two answers without a name; `swapped` where the first is the candidate's."""

    item: Judged
    swapped: bool

    @property
    def answers(self) -> tuple[str, str]:
        """(first, second)."""
        pair = (self.item.incumbent, self.item.candidate)
        return (pair[1], pair[0]) if self.swapped else pair


@dataclass(frozen=True, slots=True)
class LabelledVerdict:
    """What the labels say: the interval on people's scale, the verdict it gives with the judge's, and how far it is."""

    verdict: Verdict
    interval: Calibrated
    labels: int
    wanted: int
    judge_mean: float
    agreement: float | None

    @property
    def is_complete(self) -> bool:
        """Whether all labels that were declared are there; before that no verdict is given."""
        return self.labels >= self.wanted


class Labels:
    """The labels of one decision. Safe to share between threads and processes."""

    def __init__(self, database: Database, decision_id: str, items: Sequence[Judged], *, wanted: int) -> None:
        self._database, self.decision_id = database, decision_id
        self.items = {item.ordinal: item for item in items}
        asked = [item for item in items if item.stratum != SAME]
        self.wanted = min(wanted, len(asked))
        self._strata = {
            sign: sorted((item for item in asked if item.stratum == sign), key=self._drawn) for sign in (-1, 0, 1)
        }

    def all(self) -> list[Label]:
        """The labels in force, oldest first; the newest one of a question counts."""
        c = table.c
        query = sa.select(table).where(c.decision_id == self.decision_id, sa.not_(c.undone)).order_by(c.labelled_ns)
        with self._database.read() as connection:
            rows = list(connection.execute(query))
        newest = {row.ordinal: row for row in rows}
        return [
            Label(row.id, row.case_id, row.ordinal, row.stratum, row.incumbent, row.candidate, row.labeller)
            for row in newest.values()
        ]

    def next(self, *, skipping: frozenset[int] = frozenset()) -> Shown | None:
        """The question whose label tells the most now; None where all that are wanted are there."""
        done = {label.ordinal: label for label in self.all()}
        if len(done) >= self.wanted:
            return None
        counts = {sign: sum(item.ordinal in done for item in items) for sign, items in self._strata.items()}
        goal = self.allocation(done)
        # The stratum furthest behind its share; within it, the order drawn.
        signs = sorted(self._strata, key=lambda sign: (counts[sign] - goal[sign], sign))
        for sign in signs:
            for item in self._strata[sign]:
                if item.ordinal not in done and item.ordinal not in skipping:
                    return self.shown(item)
        return None

    def shown(self, item: Judged) -> Shown:
        """The item with its sides in the order drawn for it."""
        return Shown(item, swapped=bool(self._drawn(item)[0] & 1))

    def allocation(self, done: Mapping[int, Label]) -> dict[int, int]:
        """How many labels each stratum gets: by Neyman, spreads from the labels so far where there are enough."""
        total = sum(len(items) for items in self._strata.values())
        spreads = []
        for sign, items in self._strata.items():
            found = [done[item.ordinal].difference for item in items if item.ordinal in done]
            spreads.append(float(np.std(found)) if len(found) >= FLOOR else PILOT_SPREADS[sign])
        sizes = [len(items) for items in self._strata.values()]
        weights = [size / max(total, 1) for size in sizes]
        # Spread 0 in a handful of labels does not say that a stratum cannot vary.
        spreads = [max(spread, 0.1) for spread in spreads]
        return dict(zip(self._strata, neyman(weights, spreads, self.wanted, FLOOR, sizes=sizes), strict=True))

    def add(self, shown: Shown, first: float, second: float, *, labeller: str) -> None:
        """Keep a label; scores are of the answers as shown, 0 to 1. Raises ValueError for others."""
        if not (0 <= first <= 1 and 0 <= second <= 1):
            raise ValueError(f"labels lie between 0 and 1, not {first} and {second}")
        incumbent, candidate = (second, first) if shown.swapped else (first, second)
        item = shown.item
        row = {
            "id": secrets.token_hex(16),
            "decision_id": self.decision_id,
            "case_id": item.case_id,
            "ordinal": item.ordinal,
            "stratum": item.stratum,
            "incumbent": incumbent,
            "candidate": candidate,
            "labeller": labeller,
            "undone": False,
            "labelled_ns": time.time_ns(),
        }
        with self._database.write() as connection:
            connection.execute(table.insert().values(row))

    def undo(self) -> bool:
        """Take the newest label back; False where there is none."""
        c = table.c
        query = sa.select(c.id).where(c.decision_id == self.decision_id, sa.not_(c.undone))
        with self._database.write() as connection:
            newest = connection.execute(query.order_by(c.labelled_ns.desc()).limit(1)).scalar()
            if newest is None:
                return False
            connection.execute(table.update().where(c.id == newest).values(undone=True))
        return True

    def verdict(self, judge: Verdict, *, alpha: float, margins: Margins, objective: Objective) -> LabelledVerdict:
        """What the labels so far say at `alpha` for each limit; UNDECIDED until all that were declared are there."""
        labels = {label.ordinal: label for label in self.all()}
        interval = widened(
            ppi_difference(self.strata(labels), alpha=2 * alpha), design_effect(list(self.items.values()))
        )
        said = read_verdict(interval.low, interval.high, margins, objective)
        if interval.method == "none" or len(labels) < self.wanted:
            said = Verdict.UNDECIDED
        both = [(self.items[o].difference, found.difference) for o, found in labels.items() if o in self.items]
        agree = [np.sign(a) == np.sign(b) for a, b in both]
        return LabelledVerdict(
            verdict=joined(judge, said),
            interval=interval,
            labels=len(labels),
            wanted=self.wanted,
            judge_mean=float(np.mean([item.difference for item in self.items.values()])) if self.items else 0.0,
            agreement=float(np.mean(agree)) if agree else None,
        )

    def strata(self, labels: Mapping[int, Label]) -> list[Stratum]:
        """The strata with their labels; the same text twice is known to differ by nothing."""
        found = [
            Stratum(len(items), tuple(labels[item.ordinal].difference for item in items if item.ordinal in labels))
            for items in self._strata.values()
        ]
        same = sum(item.stratum == SAME for item in self.items.values())
        return [*found, Stratum(same, (0.0,) * same)]

    def _drawn(self, item: Judged) -> bytes:
        return hashlib.sha256(f"{self.decision_id}/{item.ordinal}".encode()).digest()


def joined(judge: Verdict, labels: Verdict) -> Verdict:
    """The verdict of both: a promotion needs the judge's test and the labels; whatever else the labels say stands."""
    if labels is Verdict.PROMOTE and judge is not Verdict.PROMOTE:
        return Verdict.NOT_WORSE if judge is Verdict.NOT_WORSE else Verdict.UNDECIDED
    return labels


def design_effect(items: Sequence[Judged]) -> float:
    """How much wider clusters make the error of the judge's mean difference: variance with them over without, >= 1."""
    if len(items) < 2 or all(item.cluster is None for item in items):
        return 1.0
    values = np.array([item.difference for item in items])
    labels = [item.cluster if item.cluster is not None else f"={item.ordinal}" for item in items]
    alone = float(values.var(ddof=1)) / len(values)
    if alone == 0 or len(set(labels)) < 2:
        return 1.0
    return max(1.0, clustered_se(cluster_sums(values, as_codes(labels, len(values)))) ** 2 / alone)


def widened(interval: Calibrated, effect: float) -> Calibrated:
    """The interval with its variance multiplied by `effect`."""
    if effect == 1.0 or interval.method == "none":
        return interval
    factor = sqrt(effect)
    return replace(
        interval,
        low=max(-1.0, interval.value - factor * (interval.value - interval.low)),
        high=min(1.0, interval.value + factor * (interval.high - interval.value)),
        reason=f"{interval.reason}; widened {factor:.2f} times for clusters",
    )

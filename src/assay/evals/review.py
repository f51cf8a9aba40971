"""A person goes through a set of cases: accept, fix, reject or skip each, take the last decision back.

Every decision is one row, committed before `decide` returns, so kill -9 loses none, and several people (a page, a
terminal) may work on one set. Decisions belong to the version of the set they were made on. What was accepted or fixed
becomes a new version with the tag `reviewed`; opening the queue of such a version goes on with the one it came from, so
nothing that is still to be looked at is lost. Proved by `tests/unit/evals/test_review.py` on both databases.
"""

import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import sqlalchemy as sa

from assay.errors import BadInput, NotFound
from assay.evals.case import Case
from assay.evals.case_line import case_from
from assay.evals.cases import CaseStore
from assay.evals.review_tables import review
from assay.index.insertion import storable
from assay.ledger.database import Database

Decision = Literal["accepted", "fixed", "rejected", "skipped"]
State = Literal["to_review", "accepted", "fixed", "rejected"]

REVIEWED = "reviewed"
"""The tag of cases a person has accepted or fixed, and the origin of sets made of them."""

_DECISIONS: tuple[Decision, ...] = ("accepted", "fixed", "rejected", "skipped")


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """A case of the queue at `place` (from 0) as it was, its state, and with `fixed` as it should be."""

    case: Case
    place: int
    state: State = "to_review"
    is_skipped: bool = False
    fixed: Case | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class ReviewProgress:
    """How many cases are in each state; `skipped` are some of those to review."""

    to_review: int
    accepted: int
    fixed: int
    rejected: int
    skipped: int

    @property
    def total(self) -> int:
        """All cases of the set."""
        return self.to_review + self.accepted + self.fixed + self.rejected


class ReviewQueue:
    """The newest version of a named set (or a set by its digest), in its order; skipped cases come last.

    Cases tagged `reviewed` count as accepted until decided otherwise. Safe to share between threads and processes.
    """

    def __init__(self, database: Database, name: str) -> None:
        """Raises NotFound where there is no such set."""
        self._database, self._store = database, CaseStore(database)
        self.name = name
        self.digest = self._base(self._store.digest(name))
        self._cases = self._store.load(self.digest)
        self._places = {case.digest: place for place, case in enumerate(self._cases)}

    def next(self) -> ReviewItem | None:
        """The first case nobody has decided on, then those skipped, longest ago first; None when all is done."""
        items = self._standing()
        first = next((item for item in items if item.state == "to_review" and not item.is_skipped), None)
        if first is not None:
            return first
        skipped = {item.case.digest: item for item in items if item.is_skipped}
        newest_first = dict.fromkeys(row.case_digest for row in reversed(self._rows()) if row.case_digest in skipped)
        return skipped[list(newest_first)[-1]] if newest_first else None

    def items(self, state: State | None = None) -> list[ReviewItem]:
        """Every case in the set's order, or those in one state."""
        return [item for item in self._standing() if state is None or item.state == state]

    def item(self, case_digest: str) -> ReviewItem:
        """One case. Raises NotFound."""
        self._check_known(case_digest)
        return self._standing()[self._places[case_digest]]

    def decide(self, case_digest: str, decision: Decision, fixed: Case | None = None, note: str = "") -> None:
        """Keep a decision; a later one on the same case replaces it.

        `fixed` is the case as it should be, with the same id, and belongs to the decision of that name. Raises NotFound
        for a case that is not in the set, BadInput for anything else that makes no sense.
        """
        self._check_known(case_digest)
        if decision not in _DECISIONS:
            raise BadInput(f"{decision!r} is no decision.", hint=f"Use one of {', '.join(_DECISIONS)}.")
        if (fixed is not None) != (decision == "fixed"):
            raise BadInput("A case is fixed by giving it as it should be.", hint="Give it with the decision fixed.")
        if fixed is not None:
            _check_fixed(fixed, self._cases[self._places[case_digest]])
        with self._database.write() as connection:
            newest = connection.execute(
                sa.select(sa.func.max(review.c.decided_ns)).where(review.c.set_digest == self.digest)
            ).scalar()
            row = {
                "id": secrets.token_hex(16),
                "set_digest": self.digest,
                "case_digest": case_digest,
                "decision": decision,
                "fixed": None if fixed is None else json.dumps(fixed.as_json()),
                "note": storable(note),
                "undone": False,
                "decided_ns": max(time.time_ns(), (newest or 0) + 1),  # the order holds when the clock does not
            }
            connection.execute(review.insert(), row)

    def undo(self) -> ReviewItem | None:
        """Take the last decision on this set back, whoever made it; its case as it stands then, None without one."""
        with self._database.write() as connection:
            last = connection.execute(self._log().order_by(review.c.decided_ns.desc()).limit(1)).first()
            if last is None:
                return None
            connection.execute(sa.update(review).where(review.c.id == last.id).values(undone=True))
        return self.item(last.case_digest)

    def progress(self) -> ReviewProgress:
        """How far the review is."""
        items = self._standing()
        counts = dict.fromkeys(("to_review", "accepted", "fixed", "rejected"), 0)
        for item in items:
            counts[item.state] += 1
        return ReviewProgress(**counts, skipped=sum(item.is_skipped for item in items))

    def reviewed(self) -> list[Case]:
        """Accepted and fixed cases in the set's order, as they should be, tagged `reviewed`."""
        return [_tagged(item.fixed or item.case) for item in self._standing() if item.state in ("accepted", "fixed")]

    def finish(self, name: str | None = None) -> str:
        """Save what `reviewed` gives as the newest version of `name` (default: the set reviewed); its digest.

        May be called at any time and again. Raises BadInput where nothing was accepted.
        """
        cases = self.reviewed()
        if not cases:
            raise BadInput("No case was accepted or fixed, so there is nothing to save.", hint="Accept or fix one.")
        return self._store.save(name or self.name, cases, f"{REVIEWED} {self.digest}")

    def _base(self, digest: str) -> str:
        """The set a reviewed version was made from, as far back as is known; otherwise the set itself."""
        origins = {version.digest: version.origin for version in self._store.versions(self.name)}
        seen = {digest}
        while (origin := origins.get(digest, "")).startswith(f"{REVIEWED} "):
            digest = origin.removeprefix(f"{REVIEWED} ")
            if digest in seen:
                break
            seen.add(digest)
        return digest

    def _standing(self) -> list[ReviewItem]:
        items = [
            ReviewItem(case, place, state="accepted" if REVIEWED in case.tags else "to_review")
            for place, case in enumerate(self._cases)
        ]
        for row in self._rows():
            place = self._places[row.case_digest]
            items[place] = _decided(ReviewItem(self._cases[place], place), row)
        return items

    def _rows(self) -> Sequence[Any]:
        """Decisions in force, oldest first."""
        with self._database.read() as connection:
            return list(connection.execute(self._log().order_by(review.c.decided_ns)))

    def _log(self) -> sa.Select[Any]:
        return sa.select(review).where(review.c.set_digest == self.digest, review.c.undone.is_(False))

    def _check_known(self, case_digest: str) -> None:
        if case_digest not in self._places:
            raise NotFound(f"There is no case {case_digest[:12]} in {self.name}.", hint="Take a case of this set.")


def _decided(item: ReviewItem, row: Any) -> ReviewItem:
    if row.decision == "skipped":
        return replace(item, is_skipped=True, note=row.note)
    fixed = case_from(json.loads(row.fixed), _unexpected) if row.fixed else None
    return replace(item, state=row.decision, fixed=fixed, note=row.note)


def _unexpected(what: str, _hint: str) -> None:
    raise AssertionError(f"a kept case {what}")


def _check_fixed(fixed: Case, before: Case) -> None:
    if fixed.id != before.id:
        raise BadInput(f'The fixed case has the id "{fixed.id}" instead of "{before.id}".', hint="Keep the id.")
    faults: list[tuple[str, str]] = []
    case_from(fixed.as_json(), lambda what, hint: faults.append((what, hint)))
    if faults:
        raise BadInput(f"The fixed case {faults[0][0]}.", hint=faults[0][1])


def _tagged(case: Case) -> Case:
    return case if REVIEWED in case.tags else replace(case, tags=(*case.tags, REVIEWED))

"""Sets of cases: read from a file, strictly and wholly; kept in the ledger by content, versions under a name.

A file is read wholly or refused with up to twenty faults, each with its line, what is wrong and what to do. Memory is
that of the cases. A stored set is named by its digest: saving it again changes nothing, and a set is visible only when
all of it is there, whatever is killed or runs beside it. Proved by `tests/unit/evals/test_read_cases.py` and
`tests/unit/evals/test_case_store.py`.
"""

import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from assay.errors import AssayError, BadInput, Corrupt, NotFound
from assay.evals.case import Case, Evidence, digest_of, set_digest
from assay.evals.case_line import case_from
from assay.evals.faults import Faults, TooMany
from assay.evals.gold import Corpus, resolve
from assay.evals.lines import json_objects, open_regular
from assay.evals.tables import case_member, case_name, case_row, case_set
from assay.index.insertion import insert_ignoring, storable
from assay.ledger.database import Database

LIMITED = "the first of a set"
DECISION_ORDER = "the order of a decision"
DERIVED = (LIMITED, DECISION_ORDER)
"""The origins of sets that hold cases of another set, made on the way: they are loaded by name, but nobody is offered
them."""

_AT_ONCE = 2_000
_SHORTEST_PREFIX = 6
_FIRST = re.compile(r", first \d+$")
_HEX = re.compile(rf"[0-9a-f]{{{_SHORTEST_PREFIX},64}}")


def read_cases(path: Path, *, corpus: Corpus | None = None, documents_required: bool = False) -> list[Case]:
    """The cases of a JSONL file, in order.

    With a corpus, evidence that does not stand in a document it has is a fault of its line too; with
    `documents_required`, so is evidence in a document it does not have.
    Raises NotFound, Unreadable, or BadInput naming each faulty line.
    """
    faults = Faults(str(path))
    with open_regular(path, what="a file of cases") as file:
        cases = collect(json_objects(file, faults), faults, corpus=corpus, documents_required=documents_required)
    if not cases:
        raise BadInput(f"{path} holds no cases.", hint='Write lines such as {"id": "q1", "question": "..."}.')
    return cases


def collect(
    rows: Iterable[tuple[int, Mapping[str, Any]]],
    faults: Faults,
    *,
    corpus: Corpus | None = None,
    documents_required: bool = False,
) -> list[Case]:
    """The cases of numbered rows in the documented shape. Raises BadInput where a fault was noted, by anyone."""
    cases: list[Case] = []
    lines: dict[str, int] = {}
    try:
        for number, row in rows:
            case = case_from(row, lambda what, hint, number=number: faults.add(number, what, hint))  # type: ignore[misc]
            if case is None:
                continue
            if case.id in lines:
                faults.add(number, f'repeats the id "{case.id}" of line {lines[case.id]}', "Give it another id.")
                continue
            lines[case.id] = number
            if corpus is not None:
                _check_gold(case, corpus, number, faults, required=documents_required)
            if faults.found:
                cases.clear()  # they will not be returned; a long file need not fill memory to be refused
            else:
                cases.append(case)
    except TooMany:
        pass
    faults.check("set of cases")
    return cases


def write_cases(path: Path, cases: Iterable[Case]) -> None:
    """Write cases as `read_cases` reads them."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(case.as_json(), ensure_ascii=False) + "\n" for case in cases)


@dataclass(frozen=True, slots=True)
class CaseSet:
    """A version of a named set: its digest, how many cases, when it was saved and where from (`origin`)."""

    name: str
    digest: str
    size: int
    created_ns: int
    origin: str


@dataclass(frozen=True, slots=True)
class SetDiff:
    """What changed between two sets, by case id: `changed` pairs each case before and after."""

    added: tuple[Case, ...]
    removed: tuple[Case, ...]
    changed: tuple[tuple[Case, Case], ...]
    unchanged: int


class CaseStore:
    """Sets of cases in the database. Safe to share between threads and processes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, name: str, cases: Sequence[Case], origin: str) -> str:
        """Keep a set and make it the newest version of `name`; its digest. A set already there is not kept twice.

        Raises BadInput for a set without cases, one that repeats an id, and a name that could be a digest, a path or a
        derived set's.
        """
        _check_name(name, origin)
        _check_set(name, cases)
        digests = [case.digest for case in cases]
        digest = digest_of(digests)
        # Sorted, so two processes saving the same cases cannot wait for each other in a circle.
        rows = dict(zip(digests, cases, strict=True))
        for some in _batches(sorted(rows)):
            with self._database.write() as connection:
                values = [
                    {"digest": key, "case_id": storable(rows[key].id), "data": json.dumps(rows[key].as_json())}
                    for key in some
                ]
                connection.execute(insert_ignoring(connection, case_row), values)
        with self._database.write() as connection:
            self._lock(connection, name)
            now = time.time_ns()
            row = {"digest": digest, "size": len(cases), "created_ns": now}
            made = connection.execute(insert_ignoring(connection, case_set).values(row).returning(case_set.c.digest))
            if made.first() is not None:
                members = [
                    {"set_digest": digest, "ordinal": ordinal, "case_digest": name}
                    for ordinal, name in enumerate(digests)
                ]
                for part in _batches(members):
                    connection.execute(case_member.insert(), part)
            newest = connection.execute(_VERSIONS.where(case_name.c.name == name).limit(1)).first()
            if newest is None or newest.set_digest != digest:
                created_ns = now if newest is None else max(now, newest.created_ns + 1)
                version = {"name": name, "created_ns": created_ns, "set_digest": digest, "origin": storable(origin)}
                connection.execute(case_name.insert(), version)
        return digest

    def load(self, name_or_digest: str) -> list[Case]:
        """The cases of a set, in order: by name (its newest version), digest, or the beginning of one.

        Raises NotFound, BadInput where several digests begin so, Corrupt where the set is not what was saved.
        """
        digest = self.digest(name_or_digest)
        query = (
            sa.select(case_row.c.data)
            .join(case_member, case_member.c.case_digest == case_row.c.digest)
            .where(case_member.c.set_digest == digest)
            .order_by(case_member.c.ordinal)
        )
        with self._database.read() as connection:
            cases = [_case(json.loads(data)) for data in connection.execute(query).scalars()]
        if set_digest(cases) != digest:
            raise Corrupt(
                f"The cases of set {digest[:12]} are not those that were saved.", hint="Import the cases again."
            )
        return cases

    def digest(self, name_or_digest: str) -> str:
        """The digest of a set given by name, digest or the beginning of one. Raises as `load` does."""
        with self._database.read() as connection:
            newest = connection.execute(_VERSIONS.where(case_name.c.name == name_or_digest).limit(1)).first()
            if newest is not None:
                return str(newest.set_digest)
            found: list[str] = []
            if _HEX.fullmatch(name_or_digest):
                query = sa.select(case_set.c.digest).where(case_set.c.digest.like(f"{name_or_digest}%")).limit(2)
                found = list(connection.execute(query).scalars())
            if len(found) > 1:
                raise BadInput(f"Several sets begin with {name_or_digest}.", hint="Write more of the digest.")
            if found:
                return found[0]
            query = sa.select(case_name.c.name).where(case_name.c.origin.not_in(DERIVED))
            names = connection.execute(query.distinct().order_by(case_name.c.name).limit(8))
            known = ", ".join(names.scalars())
        raise NotFound(
            f"There is no set of cases {name_or_digest}.",
            hint=f"Use one of {known}." if known else "Import cases with assay cases import.",
        )

    def names(self) -> list[CaseSet]:
        """The newest version of every named set that is not derived from another, by name."""
        newest: dict[str, CaseSet] = {}
        with self._database.read() as connection:
            for row in connection.execute(_VERSIONS.where(case_name.c.origin.not_in(DERIVED))):
                newest.setdefault(row.name, _case_set(row))
        return [newest[name] for name in sorted(newest)]

    def versions(self, name: str) -> list[CaseSet]:
        """Every version of a named set, newest first; empty where there is none."""
        with self._database.read() as connection:
            return [_case_set(row) for row in connection.execute(_VERSIONS.where(case_name.c.name == name))]

    def diff(self, before: str, after: str) -> SetDiff:
        """What changed between two sets, each given as to `load`."""
        old = {case.id: case for case in self.load(before)}
        new = {case.id: case for case in self.load(after)}
        both = [(old[key], new[key]) for key in new if key in old]
        return SetDiff(
            added=tuple(case for key, case in new.items() if key not in old),
            removed=tuple(case for key, case in old.items() if key not in new),
            changed=tuple((a, b) for a, b in both if a != b),
            unchanged=sum(a == b for a, b in both),
        )

    def _lock(self, connection: Connection, name: str) -> None:
        """One version of a name at a time. SQLite's write transactions exclude each other by themselves."""
        if not self._database.is_sqlite:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(f"case_name {name}"))))


_VERSIONS = (
    sa.select(case_name, case_set.c.size)
    .join(case_set, case_set.c.digest == case_name.c.set_digest)
    .order_by(case_name.c.created_ns.desc())
)


def _case_set(row: Any) -> CaseSet:
    return CaseSet(row.name, row.set_digest, row.size, row.created_ns, row.origin)


def _case(row: Mapping[str, Any]) -> Case:
    """The case `as_json` wrote: ours, so taken as it is."""
    return Case(
        id=row["id"],
        question=row["question"],
        answers=tuple(row.get("answers", ())),
        evidence=tuple(Evidence(**piece) for piece in row.get("evidence", ())),
        answerable=row.get("answerable", True),
        tags=tuple(row.get("tags", ())),
        cluster=row.get("cluster", ""),
    )


def _check_name(name: str, origin: str) -> None:
    """A name must be one to type: no path, no flag, no file, and not that of a derived set."""
    if origin in DERIVED:
        return
    if "/" in name or "\\" in name or name[:1] in (".", "-") or name.lower().endswith(".jsonl"):
        raise BadInput(f"{name} could be a path or a flag, not the name of a set.", hint="Name it without / and a dot.")
    if _FIRST.search(name):
        raise BadInput(f"{name} is what the first cases of a set are called.", hint="Use another name.")


def _check_set(name: str, cases: Sequence[Case]) -> None:
    if not name.strip() or not name.isprintable():
        raise BadInput("A set of cases needs a name that can be shown.", hint="Name it, such as support-questions.")
    if _HEX.fullmatch(name):
        raise BadInput(f"{name} could be the beginning of a digest.", hint="Use another name.")
    if not cases:
        raise BadInput(f"The set {name} would hold no cases.", hint="Give it at least one.")
    seen: set[str] = set()
    for case in cases:
        if case.id in seen:
            raise BadInput(f'The set {name} would hold two cases "{case.id}".', hint="Give each an id of its own.")
        seen.add(case.id)


def _check_gold(case: Case, corpus: Corpus, number: int, faults: Faults, *, required: bool) -> None:
    try:
        resolve(case, corpus, required=required)
    except AssayError as error:
        faults.add(number, error.message.rstrip("."), error.hint)


def _batches(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (values[start : start + _AT_ONCE] for start in range(0, len(values), _AT_ONCE))

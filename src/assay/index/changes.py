"""What derived indexes read of the database: how far it is, what came, what went, what a filter allows.

Invariant: after seeing `state().generation` = g, an index that then applies every removal above the
generation it had, and adds every passage above the last id it had, holds at least what the database
held at g, and nothing removed up to g. The steps may be repeated and interrupted at will.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from assay.index import tables as t
from assay.index.hit import Filter
from assay.index.insertion import chunks
from assay.index.records import pair_hash
from assay.ledger.database import Database

_PAGE = 2_000


@dataclass(frozen=True, slots=True)
class State:
    """How far the database is. `instance` tells databases apart; removals up to `log_floor` are forgotten."""

    instance: str
    generation: int
    log_floor: int


@dataclass(frozen=True, slots=True)
class LexicalRow:
    """What the lexical index knows of a passage."""

    id: int
    text: str
    heading: str
    title: str
    source: str
    media_type: str
    groups: tuple[str, ...]
    metadata: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class VectorRows:
    """A page of vectors: passage `ids` ascending, the `documents` they belong to, float32 `vectors`."""

    ids: NDArray[np.int64]
    documents: NDArray[np.int64]
    vectors: NDArray[np.float32]


class Changes:
    """The reading side of the store that indexes follow. Safe to share between threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def state(self) -> State:
        """How far the database is. One row: cheap enough for every search."""
        with self._database.read() as connection:
            row = connection.execute(_STATE).one()
        return State(row.instance, row.generation, row.log_floor)

    def count(self, *, digest: str | None = None) -> int:
        """How many passages there are; with a digest, those that have a vector of that embedder."""
        query = sa.select(sa.func.count()).select_from(t.passage)
        if digest is not None:
            query = query.join(
                t.vector, (t.vector.c.text_hash == t.passage.c.text_hash) & (t.vector.c.digest == digest)
            )
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def newer(self, *, after: int) -> int:
        """How many passages have ids above `after`."""
        with self._database.read() as connection:
            query = sa.select(sa.func.count()).select_from(t.passage).where(t.passage.c.id > after)
            return int(connection.execute(query).scalar_one())

    def removals(self, *, after: int) -> list[tuple[int, int]]:
        """Ranges (first id, last id) of passages removed above generation `after`."""
        c = t.removal.c
        with self._database.read() as connection:
            rows = connection.execute(sa.select(c.first_id, c.last_id).where(c.generation > after).order_by(c.id)).all()
        return [(first, last) for first, last in rows]

    def passages(self, *, after: int) -> Iterator[list[LexicalRow]]:
        """Passages with ids above `after`, in pages; memory stays flat."""
        c = t.passage.c
        query = (
            sa.select(
                c.id,
                c.text,
                c.heading,
                t.document.c.number,
                t.document.c.title,
                t.document.c.source,
                t.document.c.media_type,
            )
            .join(t.document, t.document.c.number == c.document)
            .order_by(c.id)
            .limit(_PAGE)
        )
        while True:
            with self._database.read() as connection:
                rows = connection.execute(query.where(c.id > after)).all()
                groups, pairs = _attributes(connection, sorted({row.number for row in rows}))
            if not rows:
                return
            after = rows[-1].id
            yield [
                LexicalRow(
                    r.id, r.text, r.heading, r.title, r.source, r.media_type,
                    tuple(groups.get(r.number, ())), tuple(pairs.get(r.number, ())),
                )
                for r in rows
            ]  # fmt: skip

    def vectors(self, *, after: int, digest: str, dimensions: int) -> Iterator[VectorRows]:
        """Vectors of passages with ids above `after`, in pages; documents of another embedder are left out."""
        c = t.passage.c
        joined = t.passage.join(t.document, (t.document.c.number == c.document) & (t.document.c.digest == digest))
        joined = joined.join(t.vector, (t.vector.c.text_hash == c.text_hash) & (t.vector.c.digest == digest))
        query = sa.select(c.id, c.document, t.vector.c.data).select_from(joined).order_by(c.id).limit(_PAGE)
        while True:
            with self._database.read() as connection:
                rows = connection.execute(query.where(c.id > after)).all()
            if not rows:
                return
            after = rows[-1][0]
            flat = np.frombuffer(b"".join(row[2] for row in rows), dtype="<f4").astype(np.float32, copy=False)
            yield VectorRows(
                np.array([row[0] for row in rows], dtype=np.int64),
                np.array([row[1] for row in rows], dtype=np.int64),
                flat.reshape(len(rows), dimensions),
            )

    def allowed(self, where: Filter | None) -> NDArray[np.int64] | None:
        """Numbers of the documents a filter lets through, ascending; None where it lets all through."""
        if where is None or (where.groups is None and not where.metadata):
            return None
        c = t.document.c
        query = sa.select(c.number).order_by(c.number)
        if where.groups is not None:
            grouped = sa.select(t.document_group.c.document).where(t.document_group.c.document == c.number)
            granted = (
                sa.false()
                if not where.groups
                else sa.or_(
                    *(
                        grouped.where(t.document_group.c.name.in_(some)).exists()
                        for some in chunks(sorted(where.groups))
                    )
                )
            )
            query = query.where(~grouped.exists() | granted)
        for key, value in where.metadata.items():
            query = query.where(_matches(key, value))
        with self._database.read() as connection:
            return np.array(connection.execute(query).scalars().all(), dtype=np.int64)


_STATE = sa.select(t.index_state.c.instance, t.index_state.c.generation, t.index_state.c.log_floor)


def _matches(key: str, value: str) -> Any:
    c = t.document.c
    if key == "source":
        return c.source == value
    if key == "source_prefix":
        return sa.func.substr(c.source, 1, len(value)) == value
    if key == "media_type":
        return c.media_type == value
    pair = t.document_metadata.c
    return sa.select(pair.document).where(pair.document == c.number, pair.pair == pair_hash(key, value)).exists()


def _attributes(
    connection: Connection, numbers: list[int]
) -> tuple[dict[int, list[str]], dict[int, list[tuple[str, str]]]]:
    groups: dict[int, list[str]] = {}
    pairs: dict[int, list[tuple[str, str]]] = {}
    group, pair = t.document_group.c, t.document_metadata.c
    for some in chunks(numbers):
        for number, name in connection.execute(sa.select(group.document, group.name).where(group.document.in_(some))):
            groups.setdefault(number, []).append(name)
        query = sa.select(pair.document, pair.key, pair.value).where(pair.document.in_(some))
        for number, key, value in connection.execute(query):
            pairs.setdefault(number, []).append((key, value))
    return groups, pairs

"""Documents, passages and vectors in the database: the truth the indexes are derived from.

Invariant: a document is there with all of its passages and their vectors, or not at all. Vectors are
kept as they are computed, by the hash of the text that was embedded; documents follow in one
transaction each batch, so an interrupted ingest loses no embedding and leaves no half document.
Proved by `tests/contracts/test_stores.py` on both databases and `tests/story/test_ingest_kill.py`.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection, Row

from assay.documents.document import Document, Heading, Passage
from assay.errors import BadInput, Conflict, Garbled, NotFound
from assay.index import tables as t
from assay.index.insertion import (
    check_names,
    chunks,
    delete_sources,
    insert_document,
    insert_ignoring,
    lock_state,
    missing_vectors,
    next_generation,
)
from assay.index.records import Counts, DocumentRecord, Entry, Known, StoredPassage, text_hash
from assay.ledger.database import Database
from assay.ledger.lock import held, holder

_ADVISORY_LOCK = 0x696E6465  # any constant of ours: PostgreSQL's advisory locks are numbers


class Store:
    """Reads and writes documents. Safe to share between threads and processes; one ingest at a time."""

    def __init__(self, database: Database) -> None:
        self.database = database

    # Writing

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Be the one that ingests. Raises Conflict, naming the process that already does, or where nothing may."""
        if self.database.read_only:
            raise Conflict(
                f"The workspace's database {self.database.url} can only be read.",
                hint="Check the permissions of the file and of its folder.",
                code="not_writable",
            )
        if self.database.is_sqlite:
            name = self.database.engine.url.database
            if not name or name == ":memory:":
                yield
                return
            lock = Path(f"{name}.ingest.lock")
            with held(lock) as won:
                if not won:
                    raise _busy(f"process {holder(lock) or 'unknown'}")
                yield
            return
        with self.database.session() as connection:
            taken = connection.execute(sa.select(sa.func.pg_try_advisory_lock(_ADVISORY_LOCK))).scalar()
            if not taken:
                raise _busy(_advisory_holder(connection))
            try:
                yield
            finally:
                connection.execute(sa.select(sa.func.pg_advisory_unlock(_ADVISORY_LOCK)))

    def known(self, sources: Collection[str]) -> dict[str, Known]:
        """What is stored of these sources; those unknown are absent."""
        columns = (t.document.c.source, t.document.c.content_hash, t.document.c.recipe, t.document.c.passages)
        found: dict[str, Known] = {}
        with self.database.read() as connection:
            for some in chunks([text_hash(source) for source in sources]):
                rows = connection.execute(sa.select(*columns).where(t.document.c.source_hash.in_(some)))
                found.update((source, Known(content, recipe, count)) for source, content, recipe, count in rows)
        return found

    def missing_vectors(self, hashes: Collection[str], *, digest: str) -> set[str]:
        """Those of `hashes` that no vector of this embedder is kept under."""
        with self.database.read() as connection:
            return missing_vectors(connection, hashes, digest)

    def keep_vectors(self, hashes: Sequence[str], vectors: NDArray[np.float32], *, digest: str) -> None:
        """Keep vectors under the hashes of their texts; those already kept stay as they are.

        Raises Garbled where they are not of unit length: nothing could be ranked by them.
        """
        lengths = np.linalg.norm(vectors, axis=1)
        if not np.allclose(lengths, 1.0, atol=1e-2):  # NaN is never close
            raise Garbled(
                "The embedder returned vectors that are not of unit length.",
                hint="Check that models.embedder names an embedding model.",
            )
        rows = {
            name: {"text_hash": name, "digest": digest, "data": row.astype("<f4").tobytes()}
            for name, row in zip(hashes, vectors, strict=True)
        }
        absent = self.missing_vectors(rows, digest=digest)
        if absent:
            with self.database.write() as connection:
                connection.execute(
                    insert_ignoring(connection, t.vector), [rows[name] for name in rows if name in absent]
                )

    def replace(self, entries: Sequence[Entry]) -> int:
        """Store documents with their passages in one transaction, each in place of what its source had before.

        Returns how many sources had something before. Raises BadInput where a passage's vector was not
        kept first, or the name of a group or a metadata key is too long.
        """
        if not entries:
            return 0
        with self.database.write() as connection:
            generation = next_generation(connection)
            replaced = delete_sources(connection, generation, [text_hash(entry.document.source) for entry in entries])
            for entry in entries:
                _check(connection, entry)
                insert_document(connection, entry)
        return replaced

    def remove(self, sources: Collection[str]) -> int:
        """Remove these sources with their passages, in one transaction; how many documents went."""
        if not sources:
            return 0
        with self.database.write() as connection:
            return delete_sources(connection, next_generation(connection), [text_hash(source) for source in sources])

    def begin(self) -> bool:
        """Note that an ingest is under way; whether the one before was interrupted. Only under `writing()`."""
        with self.database.write() as connection:
            lock_state(connection)
            before = connection.execute(sa.select(t.index_state.c.unfinished)).scalar_one()
            connection.execute(t.index_state.update().values(unfinished=True))
        return bool(before)

    def finish(self, *, sweep: bool) -> int:
        """Note that the ingest is complete; with `sweep`, forget vectors no passage refers to. How many went.

        Only under `writing()`, and only at the end: an ingest keeps vectors before their passages.
        """
        with self.database.write() as connection:
            lock_state(connection)
            connection.execute(t.index_state.update().values(unfinished=False))
            return int(connection.execute(t.vector.delete().where(~_USED.exists())).rowcount) if sweep else 0

    # Reading

    def counts(self) -> Counts:
        """How many documents and passages there are."""
        with self.database.read() as connection:
            row = connection.execute(
                sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(t.document.c.passages), 0)).select_from(
                    t.document
                )
            ).one()
        return Counts(int(row[0]), int(row[1]))

    def documents(
        self, *, limit: int = 1000, offset: int = 0, prefix: str = "", matching: str = ""
    ) -> list[DocumentRecord]:
        """Documents by source: those whose source starts with `prefix` and whose source or title holds `matching`."""
        c = t.document.c
        query = sa.select(
            c.number,
            c.id,
            c.source,
            c.title,
            c.media_type,
            c.characters,
            c.passages,
            c.pages,
            c.content_hash,
            c.added_ns,
        )
        if prefix:
            query = query.where(sa.func.substr(c.source, 1, len(prefix)) == prefix)
        if matching:
            query = query.where(
                c.source.icontains(matching, autoescape=True) | c.title.icontains(matching, autoescape=True)
            )
        with self.database.read() as connection:
            rows = connection.execute(query.order_by(c.source).limit(limit).offset(offset)).all()
            groups = _grouped(connection, [row.number for row in rows])
        return [
            DocumentRecord(
                id=row.id, source=row.source, title=row.title, media_type=row.media_type,
                characters=row.characters, passages=row.passages, pages=len(row.pages),
                groups=groups.get(row.number, ()), content_hash=row.content_hash, added_ns=row.added_ns,
            )
            for row in rows
        ]  # fmt: skip

    def sources(self, *, origin: str) -> Iterator[str]:
        """Every source of one origin, in order; memory stays flat."""
        last = ""
        query = sa.select(t.document.c.source).where(t.document.c.origin == origin).order_by(t.document.c.source)
        while True:
            with self.database.read() as connection:
                page = connection.execute(query.where(t.document.c.source > last).limit(10_000)).scalars().all()
            yield from page
            if len(page) < 10_000:
                return
            last = page[-1]

    def document(self, name: str) -> Document:
        """The document with this id or source, with its text. Raises NotFound."""
        c = t.document.c
        joined = t.document.join(t.content, t.content.c.document == c.number)
        where = (c.id == name) | (c.source_hash == text_hash(name))
        with self.database.read() as connection:
            row = connection.execute(
                sa.select(t.document, t.content.c.text).select_from(joined).where(where).order_by(c.number).limit(1)
            ).first()
            if row is None:
                raise NotFound(
                    f"There is no document {name!r}.", hint="List the documents to see their ids and sources."
                )
            groups = _grouped(connection, [row.number]).get(row.number, ())
            pairs = connection.execute(
                sa.select(t.document_metadata.c.key, t.document_metadata.c.value)
                .where(t.document_metadata.c.document == row.number)
                .order_by(t.document_metadata.c.key)
            ).all()
        return Document(
            source=row.source,
            content_hash=row.content_hash,
            text=row.text,
            title=row.title,
            media_type=row.media_type,
            pages=tuple((start, end) for start, end in row.pages),
            headings=tuple(Heading(level, start, title) for level, start, title in row.headings),
            groups=groups,
            metadata={pair.key: pair.value for pair in pairs},
        )

    def passages(self, ids: Collection[int]) -> dict[int, StoredPassage]:
        """Passages by id; those that went in the meantime are absent."""
        found: dict[int, StoredPassage] = {}
        with self.database.read() as connection:
            for some in chunks(list(ids)):
                for row in connection.execute(_PASSAGES.where(t.passage.c.id.in_(some))):
                    found[row.id] = _stored(row)
        return found

    def passages_of(self, document_id: str) -> list[StoredPassage]:
        """The passages of one document, in order; empty where there is no such document."""
        query = _PASSAGES.where(t.document.c.id == document_id).order_by(t.passage.c.ordinal)
        with self.database.read() as connection:
            return [_stored(row) for row in connection.execute(query)]


_USED = (
    sa.select(sa.literal(1))
    .select_from(t.passage.join(t.document, t.document.c.number == t.passage.c.document))
    .where(t.passage.c.text_hash == t.vector.c.text_hash, t.document.c.digest == t.vector.c.digest)
)

_PASSAGES = sa.select(t.passage, t.document.c.id.label("document_id"), t.document.c.source, t.document.c.title).join(
    t.document, t.document.c.number == t.passage.c.document
)


def _stored(row: Row[Any]) -> StoredPassage:
    passage = Passage(row.document_id, row.ordinal, row.start, row.end, row.text, row.page, row.heading)
    return StoredPassage(row.id, passage, row.source, row.title)


def _check(connection: Connection, entry: Entry) -> None:
    document = entry.document
    check_names(document)
    if len(entry.hashes) != len(entry.passages):
        raise ValueError(f"{len(entry.hashes)} hashes for {len(entry.passages)} passages")
    missing = missing_vectors(connection, set(entry.hashes), entry.digest)
    if missing:
        raise BadInput(
            f"{document.source}: {len(missing)} of {len(set(entry.hashes))} passages have no vector.",
            hint="Embed the passages and keep their vectors first.",
        )


def _grouped(connection: Connection, numbers: Sequence[int]) -> dict[int, tuple[str, ...]]:
    groups: dict[int, list[str]] = {}
    c = t.document_group.c
    for some in chunks(numbers):
        query = sa.select(c.document, c.name).where(c.document.in_(some)).order_by(c.document, c.name)
        for number, name in connection.execute(query):
            groups.setdefault(number, []).append(name)
    return {number: tuple(names) for number, names in groups.items()}


def _advisory_holder(connection: Connection) -> str:
    """Who holds PostgreSQL's lock: the application name of its session, which says host and process."""
    row = connection.execute(
        sa.text(
            "select a.pid, a.application_name, a.client_addr from pg_locks l join pg_stat_activity a on a.pid = l.pid "
            "where l.locktype = 'advisory' and l.objid = :lock and l.granted limit 1"
        ),
        {"lock": _ADVISORY_LOCK},
    ).first()
    return "another process" if row is None else row.application_name or f"PostgreSQL session {row.pid}"


def _busy(who: str) -> Conflict:
    return Conflict(
        f"Another ingest is writing to this workspace ({who}).",
        hint="Wait until it has finished, or stop it.",
        code="ingest_running",
    )

"""The store's write statements. They run on a connection whose transaction holds the state row."""

import re
import time
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from assay.documents.document import Document, Passage
from assay.errors import BadInput
from assay.index import tables as t
from assay.index.records import Entry, pair_hash, text_hash

_IN_LIMIT = 500  # values in one IN (...): well under every driver's limit
_LONGEST_NAME = 255  # as in `document_group` and `document_metadata`
_PASSAGES_AT_ONCE = 2_000
_LOG_LENGTH = 50_000  # removals remembered; an index further behind is rebuilt
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def check_names(document: Document) -> None:
    """Raises BadInput where the name of a group or a metadata key is empty or too long to be kept."""
    for name in (*document.groups, *document.metadata):
        if not 1 <= len(name) <= _LONGEST_NAME:
            raise BadInput(
                f"{document.source}: a group or metadata key has 1 to {_LONGEST_NAME} characters, not {len(name)}.",
                hint="Use a shorter name.",
            )


def insert_document(connection: Connection, entry: Entry) -> None:
    document = entry.document
    number = connection.execute(
        t.document.insert()
        .values(
            id=document.id,
            source=document.source,
            source_hash=text_hash(document.source),
            content_hash=document.content_hash,
            recipe=entry.recipe,
            digest=entry.digest,
            origin=entry.origin,
            title=storable(document.title),
            media_type=document.media_type,
            characters=len(document.text),
            passages=len(entry.passages),
            pages=[list(page) for page in document.pages],
            headings=[[heading.level, heading.start, storable(heading.title)] for heading in document.headings],
            added_ns=time.time_ns(),
        )
        .returning(t.document.c.number)
    ).scalar_one()
    connection.execute(t.content.insert(), {"document": number, "text": storable(document.text)})
    if document.groups:
        names = dict.fromkeys(storable(name) for name in document.groups)
        connection.execute(t.document_group.insert(), [{"document": number, "name": name} for name in names])
    if document.metadata:
        pairs = {storable(key): storable(value) for key, value in document.metadata.items()}
        connection.execute(
            t.document_metadata.insert(),
            [{"document": number, "key": k, "value": v, "pair": pair_hash(k, v)} for k, v in pairs.items()],
        )
    for start in range(0, len(entry.passages), _PASSAGES_AT_ONCE):
        some = zip(
            entry.passages[start : start + _PASSAGES_AT_ONCE],
            entry.hashes[start : start + _PASSAGES_AT_ONCE],
            strict=True,
        )
        connection.execute(t.passage.insert(), [_passage_row(number, passage, name) for passage, name in some])


def _passage_row(number: int, passage: Passage, name: str) -> dict[str, Any]:
    return {
        "document": number,
        "ordinal": passage.ordinal,
        "start": passage.start,
        "end": passage.end,
        "page": passage.page,
        "heading": storable(passage.heading),
        "text": storable(passage.text),
        "text_hash": name,
    }


def delete_sources(connection: Connection, generation: int, source_hashes: Sequence[str]) -> int:
    """Delete documents with everything that hangs on them, and log which passages went."""
    removed = 0
    for some in chunks(source_hashes):
        joined = t.document.outerjoin(t.passage, t.passage.c.document == t.document.c.number)
        ranges = connection.execute(
            sa.select(t.document.c.number, sa.func.min(t.passage.c.id), sa.func.max(t.passage.c.id))
            .select_from(joined)
            .where(t.document.c.source_hash.in_(some))
            .group_by(t.document.c.number)
        ).all()
        # The passages of a document were inserted in one transaction that held the state row: their ids are a range.
        log = [{"generation": generation, "first_id": a, "last_id": b} for _, a, b in ranges if a is not None]
        if log:
            connection.execute(t.removal.insert(), log)
        if ranges:
            connection.execute(t.document.delete().where(t.document.c.number.in_([row[0] for row in ranges])))
        removed += len(ranges)
    if removed:
        _forget_old_removals(connection)
    return removed


def _forget_old_removals(connection: Connection) -> None:
    newest = connection.execute(sa.select(sa.func.max(t.removal.c.id))).scalar()
    if newest is None or newest <= _LOG_LENGTH:
        return
    old = t.removal.c.id <= newest - _LOG_LENGTH
    floor = connection.execute(sa.select(sa.func.max(t.removal.c.generation)).where(old)).scalar()
    if floor is not None:
        connection.execute(t.removal.delete().where(old))
        connection.execute(t.index_state.update().values(log_floor=floor))


def next_generation(connection: Connection) -> int:
    """Count the generation up; holds the state row, so writers go one after the other."""
    state = t.index_state
    update = state.update().values(generation=state.c.generation + 1).returning(state.c.generation)
    return int(connection.execute(update).scalar_one())


def lock_state(connection: Connection) -> None:
    """Hold the state row without counting up. SQLite's write transactions exclude each other by themselves."""
    connection.execute(sa.select(t.index_state.c.id).with_for_update())


def missing_vectors(connection: Connection, hashes: Collection[str], digest: str) -> set[str]:
    """Those of `hashes` that no vector of this embedder is kept under."""
    missing = set(hashes)
    for some in chunks(sorted(missing)):
        where = t.vector.c.text_hash.in_(some) & (t.vector.c.digest == digest)
        missing.difference_update(connection.execute(sa.select(t.vector.c.text_hash).where(where)).scalars())
    return missing


def insert_ignoring(connection: Connection, table: sa.Table) -> Any:
    if connection.dialect.name == "sqlite":
        from sqlalchemy.dialects.sqlite import insert as sqlite_insert

        return sqlite_insert(table).on_conflict_do_nothing()
    from sqlalchemy.dialects.postgresql import insert as postgres_insert

    return postgres_insert(table).on_conflict_do_nothing()


def storable(text: str) -> str:
    """NUL and lone surrogates, which PostgreSQL refuses, replaced one for one so spans still hold."""
    return _UNSTORABLE.sub("\ufffd", text)


def chunks(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (values[i : i + _IN_LIMIT] for i in range(0, len(values), _IN_LIMIT))

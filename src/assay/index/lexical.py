"""The lexical side: BM25 over stemmed words, in a tantivy index derived from the database.

Invariants: the index holds exactly the passages of the database at its stamp's generation; a filter is
applied before the cut to k; nothing a user types is query syntax, a question is the set of its words.
Catching up may be killed at any moment and repeated: it first deletes what it is about to add. Proved
by `tests/unit/index/test_lexical.py`, `tests/properties/test_index_filters.py` and the kill story.
"""

import contextlib
import hashlib
import json
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.errors import BadSetting, Conflict, Corrupt
from assay.index.changes import Changes, LexicalRow, State
from assay.index.context import RECIPE, indexed_text
from assay.index.hit import Filter
from assay.index.records import pair_hash
from assay.index.stamp import Stamp, checksum, disk_errors, read_stamp, write_stamp
from assay.ledger.lock import held, holder

_FORMAT = 1
_HEAP_BYTES = 64_000_000
_WORDS = 256  # different words of a question that are looked up; nobody asks in more
_LONGEST_WORD = 100
_WAIT_SECONDS = 600.0  # for another process that builds the index we cannot do without
_REGEX = frozenset(r"\.+*?()|[]{}^$")


@dataclass(frozen=True, slots=True)
class _Open:
    """A searchable snapshot of the index."""

    index: Any
    searcher: Any
    stamp: Stamp


class LexicalIndex:
    """BM25 search. Thread-safe; many processes may search while one catches up."""

    def __init__(self, folder: Path, changes: Changes, *, language: str = "english") -> None:
        """An index below `folder`; nothing is read before `catch_up`. Raises BadSetting for an unknown language."""
        self._changes = changes
        self._analyzer = _analyzer(language)
        self._schema = _schema()
        self._lock = folder / "lexical.lock"
        name = hashlib.sha256(f"{_FORMAT}|{RECIPE}|{language}".encode()).hexdigest()[:12]
        self._folder = folder / f"lexical-{name}"
        self._open: _Open | None = None

    @property
    def generation(self) -> int:
        """The database generation searches see; -1 before the index is open."""
        return -1 if self._open is None else self._open.stamp.generation

    def catch_up(self) -> bool:
        """Bring the index to the database's state; whether it is there.

        False where another process is at it: searches see an older state meanwhile. Opens the index on
        the first call, building it where it is missing, damaged, or of another database.
        """
        with disk_errors(self._folder), held(self._lock) as won:
            if won:
                self._bring_up_to_date()
                return True
        if self._follow():
            return False
        with disk_errors(self._folder), held(self._lock, wait_seconds=_WAIT_SECONDS) as won:
            if not won:
                raise Conflict(
                    f"Process {holder(self._lock) or 'unknown'} has been building {self._folder} for too long.",
                    hint="Wait for it to finish, or stop it.",
                )
            self._bring_up_to_date()
        return True

    def search(self, question: str, *, k: int, where: Filter | None = None) -> list[tuple[int, float]]:
        """Passage ids with BM25 scores, best first, at most `k`; empty where no word of the question is found."""
        import tantivy

        opened = self._open
        if opened is None:
            raise ValueError("catch_up before the first search")
        words = list(dict.fromkeys(self._analyzer.analyze(question)))[:_WORDS]
        if not words:
            return []
        # A word counts once however often it was said: repeating one is seldom what a question is about.
        terms = [tantivy.Query.term_query(self._schema, "body", word, "freq") for word in words]
        query = tantivy.Query.boolean_query([(tantivy.Occur.Should, term) for term in terms])
        conditions = list(self._conditions(where))
        if conditions:
            must = [(tantivy.Occur.Must, condition) for condition in conditions]
            query = tantivy.Query.boolean_query([(tantivy.Occur.Must, query), *must])
        hits = opened.searcher.search(query, k, count=False).hits
        ids = opened.searcher.fast_field_values("id", [address for _, address in hits])
        return sorted(((int(i), float(score)) for (score, _), i in zip(hits, ids, strict=True)), key=_best_first)

    def _conditions(self, where: Filter | None) -> Iterator[Any]:
        """A filter as queries that must match and score nothing."""
        from tantivy import Query

        if where is None:
            return
        if where.groups is not None:
            facts = ["public", *(f"g:{name}" for name in where.groups)]
            yield Query.const_score_query(Query.term_set_query(self._schema, "facts", facts), 0.0)
        for key, value in where.metadata.items():
            if key == "source_prefix":
                pattern = "".join(f"\\{c}" if c in _REGEX else c for c in f"s:{value}")
                query = Query.regex_query(self._schema, "facts", f"{pattern}(.|\\n)*")
            else:
                query = Query.term_query(self._schema, "facts", _fact(key, value), "basic")
            yield Query.const_score_query(query, 0.0)

    # Opening and catching up; all of it under the lock

    def _bring_up_to_date(self) -> None:
        stamp = read_stamp(self._folder)
        state = self._changes.state()
        if stamp is not None and self._usable(stamp, state):
            if self._open is None or self._open.stamp.data != stamp.data:
                stamp = self._verified(stamp)
            if stamp is not None and self._catch_up_from(stamp, state):
                return
        self._build(state)

    def _usable(self, stamp: Stamp, state: State) -> bool:
        return stamp.instance == state.instance and state.log_floor <= stamp.generation <= state.generation

    def _verified(self, stamp: Stamp) -> Stamp | None:
        """The stamp, where the files it names are intact; segments it does not know came after it."""
        data = self._folder / stamp.data
        try:
            segments = json.loads((data / "meta.json").read_text(encoding="utf-8"))["segments"]
            alive = {segment["segment_id"].replace("-", "") for segment in segments}
            for name, expected in stamp.files.items():
                segment, _, kind = name.partition(".")
                if segment in alive and not kind.endswith("del") and checksum(data / name) != expected:
                    return None
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return stamp

    def _catch_up_from(self, stamp: Stamp, state: State) -> bool:
        """Apply what changed since the stamp; False where the outcome is not what the database says."""
        already = self._open is not None and self._open.stamp == stamp
        if already and stamp.generation == state.generation:
            return True
        try:
            index = self._opened(stamp.data)
            if stamp.generation != state.generation or index.searcher().num_docs != stamp.rows:
                stamp = self._write(index, stamp, state)
        except (ValueError, OSError) as error:  # tantivy raises ValueError for anything it cannot read
            if "No space left" in str(error):
                raise
            return False
        return self._put_in_force(index, stamp)

    def _build(self, state: State) -> None:
        """Build the index anew beside what is there, then swap."""
        import tantivy

        data = f"data-{secrets.token_hex(4)}"
        (self._folder / data).mkdir(parents=True)
        index = tantivy.Index(self._schema, path=str(self._folder / data))
        self._register(index)
        stamp = self._write(index, Stamp(state.instance, state.generation, 0, 0, data), state)
        if not self._put_in_force(index, stamp):
            raise Corrupt(
                f"The lexical index in {self._folder} does not hold what the database holds, even when built anew.",
                hint="Report this with the output of `assay config`.",
            )
        for other in self._folder.glob("data-*"):
            if other.name != data:
                shutil.rmtree(other, ignore_errors=True)  # a reader may still have it open; the next build retries

    def _write(self, index: Any, stamp: Stamp, state: State) -> Stamp:
        """Apply removals and new passages to `index`, commit, and stamp it for `state`."""
        from tantivy import FieldType, Query

        def delete(first: int, last: int | None) -> None:
            writer.delete_documents_by_query(Query.range_query(self._schema, "id", FieldType.Unsigned, first, last))

        writer = index.writer(heap_size=_HEAP_BYTES, num_threads=1)
        removals = self._changes.removals(after=stamp.generation)
        for first, last in removals:
            delete(first, last)
        # A catch-up killed between its commit and its stamp has added these already.
        delete(stamp.last_id + 1, None)
        last_id = stamp.last_id
        for rows in self._changes.passages(after=last_id):
            for row in rows:
                writer.add_document(_document(row))
            last_id = rows[-1].id
        writer.commit()
        writer.wait_merging_threads()
        index.reload()
        data = self._folder / stamp.data
        files = _checksums(data, known=stamp.files)
        fresh = Stamp(state.instance, state.generation, last_id, index.searcher().num_docs, stamp.data, files)
        write_stamp(self._folder, fresh)
        return fresh

    def _put_in_force(self, index: Any, stamp: Stamp) -> bool:
        """Serve searches from `index`, unless it does not hold as many passages as the database."""
        searcher = index.searcher()
        expected = self._changes.count()
        if searcher.num_docs != expected and self._changes.state().generation == stamp.generation:
            return False
        self._open = _Open(index, searcher, stamp)
        return True

    def _follow(self) -> bool:
        """Take over what another process has stamped; whether there is an index to search."""
        stamp = read_stamp(self._folder)
        state = self._changes.state()
        if stamp is None or not self._usable(stamp, state):
            return self._open is not None
        if self._open is not None and self._open.stamp == stamp:
            return True
        with contextlib.suppress(ValueError, OSError):  # being replaced just now: stay with what we have
            if self._open is not None and self._open.stamp.data == stamp.data:
                self._open.index.reload()
                self._open = _Open(self._open.index, self._open.index.searcher(), stamp)
            elif self._verified(stamp) is not None:
                index = self._opened(stamp.data)
                self._open = _Open(index, index.searcher(), stamp)
        return self._open is not None

    def _opened(self, data: str) -> Any:
        import tantivy

        if self._open is not None and self._open.stamp.data == data:
            return self._open.index
        index = tantivy.Index.open(str(self._folder / data))
        self._register(index)
        return index

    def _register(self, index: Any) -> None:
        index.register_tokenizer("words", self._analyzer)
        index.config_reader("manual")


def _schema() -> Any:
    from tantivy import SchemaBuilder

    builder = SchemaBuilder()
    builder.add_unsigned_field("id", indexed=True, fast=True)
    builder.add_text_field("body", tokenizer_name="words", index_option="freq")
    builder.add_text_field("facts", tokenizer_name="raw", index_option="basic")
    return builder.build()


def _analyzer(language: str) -> Any:
    from tantivy import Filter as TokenFilter
    from tantivy import TextAnalyzerBuilder, Tokenizer

    builder = TextAnalyzerBuilder(Tokenizer.simple()).filter(TokenFilter.remove_long(_LONGEST_WORD))
    builder = builder.filter(TokenFilter.lowercase())
    if language == "none":
        return builder.build()
    try:
        return builder.filter(TokenFilter.stemmer(language)).build()
    except ValueError as error:
        raise BadSetting(
            f"index.language {language!r} has no stemmer.",
            hint="Use a language such as english, german, french, spanish or russian, or none for no stemming.",
        ) from error


def _document(row: LexicalRow) -> Any:
    from tantivy import Document

    document = Document()
    document.add_unsigned("id", row.id)
    document.add_text("body", indexed_text(row.text, title=row.title, heading=row.heading))
    for name in row.groups:
        document.add_text("facts", f"g:{name}")
    if not row.groups:
        document.add_text("facts", "public")
    document.add_text("facts", f"s:{row.source}")
    document.add_text("facts", f"m:{row.media_type}")
    for key, value in row.metadata:
        document.add_text("facts", f"p:{pair_hash(key, value)}")
    return document


def _fact(key: str, value: str) -> str:
    names = {"source": "s", "media_type": "m"}
    return f"{names[key]}:{value}" if key in names else f"p:{pair_hash(key, value)}"


def _checksums(data: Path, *, known: Mapping[str, str]) -> dict[str, str]:
    """Checksums of the segment files; tantivy never changes a file, so those known are not read again."""
    names = [path.name for path in data.iterdir() if not path.name.startswith(".") and path.name != "meta.json"]
    return {name: known.get(name) or checksum(data / name) for name in names}


def _best_first(hit: tuple[int, float]) -> tuple[float, int]:
    return (-hit[1], hit[0])

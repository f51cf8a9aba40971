"""The dense side: exact nearest neighbours over vectors that derive from the database.

A scan of rows rounded to bytes (memory-mapped, shared between processes, a quarter of the memory
traffic) gives every score within a known error; the rows that can still be among the best k are scored
again in single precision, so the result is the exact top k. Rows newer than the snapshot on disk are
read from the database into memory: following it needs no lock and blocks no search.

The error: x ~ x' and q ~ q', each a scale times a row of bytes, differ by measured lengths r(x), r(q).
Then |x'.q' - x.q| <= |x'||q'-q| + |x'-x||q| <= (|x| + r(x)) r(q) + r(x) |q| (Cauchy-Schwarz), and |x| = 1.
Proved by `tests/properties/test_index_dense.py` against a brute-force search, ties, filters and
removals included.
"""

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.index.changes import Changes, State
from assay.index.stamp import Stamp, checksum, disk_errors, intact, read_stamp, write_stamp
from assay.ledger.lock import held

_FORMAT = 2
_TAIL_ROWS = 2_000  # more rows than this outside the snapshot, and it is written anew
_FLOAT32_ERROR = 1e-5  # of the few single-precision steps from a sum of whole numbers to a score, generously
_FEW = 0.05  # below this share of allowed rows, scoring only them is cheaper than the scan
_BLOCK_ROWS = 16_384
_WAIT_SECONDS = 600.0  # for another process that writes the snapshot

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Segment:
    """Rows in order of passage id: `full` float32; `codes` times `scales` differ from them by `residuals` in length."""

    ids: Rows
    documents: Rows
    full: NDArray[np.float32]
    codes: NDArray[np.int8]
    scales: NDArray[np.float32]
    residuals: NDArray[np.float32]
    alive: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Matrix:
    """An immutable state of the index; a search works on one from beginning to end."""

    state: State
    last_id: int
    segments: tuple[Segment, ...]
    data: str


class DenseIndex:
    """Exact cosine search. Thread-safe; any number of processes may search and follow."""

    def __init__(self, folder: Path, changes: Changes, *, digest: str, dimensions: int, threads: int = 0) -> None:
        """An index below `folder` of the vectors of one embedder; nothing is read before `catch_up`."""
        self._changes = changes
        self._digest = digest
        self._dimensions = dimensions
        self._threads = threads or os.cpu_count() or 1
        self._lock = folder / "dense.lock"
        name = hashlib.sha256(f"{_FORMAT}|{digest}|{dimensions}".encode()).hexdigest()[:12]
        self._folder = folder / f"dense-{name}"
        self._matrix: _Matrix | None = None

    @property
    def generation(self) -> int:
        """The database generation searches see; -1 before the index is open."""
        return -1 if self._matrix is None else self._matrix.state.generation

    def __len__(self) -> int:
        """How many vectors can be found."""
        return 0 if self._matrix is None else sum(int(s.alive.sum()) for s in self._matrix.segments)

    def catch_up(self) -> bool:
        """Bring the index to the database's state; whether it is there. Opens it on the first call.

        False where another process writes a snapshot of much that is new: searches see the older state meanwhile.
        """
        state = self._changes.state()
        matrix = self._matrix
        if matrix is None or matrix.state.instance != state.instance or state.log_floor > matrix.state.generation:
            matrix = self._matrix = self._opened(state)
        if matrix.state.generation == state.generation:
            return True
        if self._is_loose(matrix, self._changes.newer(after=matrix.last_id)):
            # Much to take over: by way of the disk, so that memory does not grow with it.
            with disk_errors(self._folder), held(self._lock) as won:
                if not won:
                    return False
                matrix = self._newer_snapshot(matrix, state) or self._written(matrix)
        self._matrix = self._followed(matrix, state) if matrix.state.generation < state.generation else matrix
        return True

    def _is_loose(self, matrix: _Matrix, newer: int) -> bool:
        """Whether more would lie outside the snapshot, or dead inside it, than searches should bear."""
        rows = sum(len(segment.ids) for segment in matrix.segments)
        dead = sum(int((~segment.alive).sum()) for segment in matrix.segments)
        outside = sum(len(segment.ids) for segment in matrix.segments[1:])
        return newer + dead + outside > max(_TAIL_ROWS, rows // 20)

    def _newer_snapshot(self, matrix: _Matrix, state: State) -> _Matrix | None:
        """What another process has written since, where that leaves little to follow."""
        stamp = read_stamp(self._folder)
        if stamp is None or stamp.generation <= matrix.state.generation:
            return None
        newer = self._snapshot(state)
        loose = newer is None or self._is_loose(newer, self._changes.newer(after=newer.last_id))
        return None if loose else newer

    def search(self, query: NDArray[np.float32], *, k: int, allowed: Rows | None = None) -> list[tuple[int, float]]:
        """Passage ids with cosines, best first (equal ones by id), the exact top `k`.

        `allowed` are the numbers of the documents that may be seen, None for all.
        """
        matrix = self._matrix
        if matrix is None:
            raise ValueError("catch_up before the first search")
        query = np.ascontiguousarray(query, dtype=np.float32)
        found = [self._best(segment, query, k, allowed) for segment in matrix.segments if len(segment.ids)]
        if not found:
            return []
        ids, scores = (np.concatenate(parts) for parts in zip(*found, strict=True))
        order = np.lexsort((ids, -scores))[:k]
        return [(int(ids[i]), float(scores[i])) for i in order]

    def scores(self, query: NDArray[np.float32], ids: Sequence[int]) -> dict[int, float]:
        """Cosines of these passages; those without a vector are absent."""
        matrix = self._matrix
        if matrix is None:
            raise ValueError("catch_up before the first search")
        wanted = np.unique(np.array(ids, dtype=np.int64))
        found: dict[int, float] = {}
        for segment in matrix.segments:
            rows = np.searchsorted(segment.ids, wanted)
            rows = rows[rows < len(segment.ids)]
            rows = rows[np.isin(segment.ids[rows], wanted) & segment.alive[rows]]
            found.update(zip(segment.ids[rows].tolist(), (segment.full[rows] @ query).tolist(), strict=True))
        return found

    def _best(
        self, segment: Segment, query: NDArray[np.float32], k: int, allowed: Rows | None
    ) -> tuple[Rows, NDArray[np.float32]]:
        """Rows of a segment that hold its exact top k."""
        mask = segment.alive
        if allowed is not None:
            mask = mask & np.isin(segment.documents, allowed)
        count = int(mask.sum())
        if count <= max(k, _FEW * len(mask)):
            rows = np.flatnonzero(mask)
        else:
            rows = self._shortlist(segment, query, k, mask, everything=count == len(mask))
        return segment.ids[rows], segment.full[rows] @ query

    def _shortlist(
        self, segment: Segment, query: NDArray[np.float32], k: int, mask: NDArray[np.bool_], *, everything: bool
    ) -> NDArray[np.int64]:
        import simsimd

        codes, scale, residual = _coded(query[None, :])
        scanned = simsimd.cdist(codes, segment.codes, metric="dot", out_dtype="float32", threads=self._threads)
        scores = np.asarray(scanned)[0] * segment.scales * scale[0]
        length = float(np.linalg.norm(query))
        error = segment.residuals * (length + float(residual[0])) + (float(residual[0]) + _FLOAT32_ERROR)
        lowest = scores - error
        if not everything:
            lowest[~mask] = -np.inf
        kth = np.partition(lowest, len(lowest) - k)[len(lowest) - k]
        return np.flatnonzero((scores + error >= kth) & mask)

    # Opening, following, writing

    def _opened(self, state: State) -> _Matrix:
        """The snapshot on disk where it is usable, else a new one of everything in the database."""
        snapshot = self._snapshot(state)
        if snapshot is not None:
            return snapshot
        with disk_errors(self._folder), held(self._lock, wait_seconds=_WAIT_SECONDS):
            # Another process may have written it while we waited; two writers at once would only waste time.
            return self._snapshot(state) or self._written(_Matrix(state, 0, (), ""))

    def _snapshot(self, state: State) -> _Matrix | None:
        stamp = read_stamp(self._folder)
        while stamp is not None:
            usable = stamp.instance == state.instance and state.log_floor <= stamp.generation <= state.generation
            if not usable:
                return None
            if intact(self._folder, stamp.files):
                with contextlib.suppress(OSError, ValueError, KeyError):
                    segment = self._mapped(stamp)
                    return _Matrix(replace(state, generation=stamp.generation), stamp.last_id, (segment,), stamp.data)
            # Replaced between reading the stamp and the files, or damaged: the stamp tells which.
            before, stamp = stamp, read_stamp(self._folder)
            if stamp == before:
                return None
        return None

    def _followed(self, matrix: _Matrix, state: State) -> _Matrix:
        """`matrix` with removals applied and newer rows added in memory."""
        removals = self._changes.removals(after=matrix.state.generation)
        segments = [_without(segment, removals) for segment in matrix.segments]
        pages = self._changes.vectors(after=matrix.last_id, digest=self._digest, dimensions=self._dimensions)
        tail = _tail(segments[1:], ((page.ids, page.documents, page.vectors) for page in pages))
        last_id = matrix.last_id if tail is None else max(matrix.last_id, int(tail.ids[-1]))
        return _Matrix(state, last_id, (*segments[:1], *([] if tail is None else [tail])), matrix.data)

    def _written(self, matrix: _Matrix) -> _Matrix:
        """A new snapshot on disk of what `matrix` holds and of everything newer; memory stays flat."""
        state = self._changes.state()
        removals = self._changes.removals(after=matrix.state.generation) if matrix.segments else []
        data = f"data-{secrets.token_hex(4)}"
        self._folder.mkdir(parents=True, exist_ok=True)
        columns: list[tuple[NDArray[Any], ...]] = []
        paths = {kind: self._folder / f"{data}.{kind}" for kind in ("f32", "i8", "npz")}
        with paths["f32"].open("wb") as full, paths["i8"].open("wb") as coded, paths["npz"].open("wb") as header:
            for ids, documents, vectors in self._rows(matrix, removals):
                codes, scales, residuals = _coded(vectors)
                full.write(vectors.astype("<f4", copy=False).tobytes())
                coded.write(codes.tobytes())
                columns.append((ids, documents, scales, residuals))
            names = ("ids", "documents", "scales", "residuals")
            kinds = (np.int64, np.int64, np.float32, np.float32)
            joined = {
                name: np.concatenate([np.empty(0, kind), *(row[i] for row in columns)])
                for i, (name, kind) in enumerate(zip(names, kinds, strict=True))
            }
            np.savez(header, **joined)  # type: ignore[arg-type]
            for file in (full, coded, header):
                file.flush()
                os.fsync(file.fileno())
        files = {path.name: checksum(path) for path in paths.values()}
        ids = joined["ids"]
        last_id = max(matrix.last_id, int(ids[-1]) if len(ids) else 0)
        stamp = Stamp(state.instance, state.generation, last_id, len(ids), data, files)
        write_stamp(self._folder, stamp)
        for other in self._folder.glob("data-*"):
            if not other.name.startswith(data):
                with contextlib.suppress(OSError):  # Windows keeps a mapped file; the next snapshot tries again
                    other.unlink()
        return _Matrix(state, last_id, (self._mapped(stamp),), data)

    def _rows(
        self, matrix: _Matrix, removals: Sequence[tuple[int, int]]
    ) -> Iterator[tuple[Rows, Rows, NDArray[np.float32]]]:
        for segment in matrix.segments:
            alive = _without(segment, removals).alive
            for start in range(0, len(segment.ids), _BLOCK_ROWS):
                block = slice(start, start + _BLOCK_ROWS)
                keep = alive[block]
                yield segment.ids[block][keep], segment.documents[block][keep], segment.full[block][keep]
        for page in self._changes.vectors(after=matrix.last_id, digest=self._digest, dimensions=self._dimensions):
            yield page.ids, page.documents, page.vectors

    def _mapped(self, stamp: Stamp) -> Segment:
        with np.load(self._folder / f"{stamp.data}.npz") as header:
            ids, documents, scales, residuals = (header[k] for k in ("ids", "documents", "scales", "residuals"))
        shape = (len(ids), self._dimensions)
        if not len(ids):
            return _segment(ids, documents, np.empty(shape, np.float32))
        full = np.memmap(self._folder / f"{stamp.data}.f32", dtype="<f4", mode="r", shape=shape).view(np.ndarray)
        codes = np.memmap(self._folder / f"{stamp.data}.i8", dtype=np.int8, mode="r", shape=shape).view(np.ndarray)
        return Segment(ids, documents, full, codes, scales, residuals, np.ones(len(ids), np.bool_))


def _segment(ids: Rows, documents: Rows, full: NDArray[np.float32]) -> Segment:
    return Segment(ids, documents, full, *_coded(full), np.ones(len(ids), np.bool_))


def _coded(full: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.float32]]:
    """Rows as bytes, the scale of each, and the length of what each lost."""
    scales = np.abs(full).max(axis=1, initial=0.0) / np.float32(127)
    scales[scales == 0] = 1.0
    codes = np.rint(full / scales[:, None]).astype(np.int8)
    residuals = np.linalg.norm(full - codes * scales[:, None], axis=1)
    return codes, scales.astype(np.float32), residuals.astype(np.float32)


def _without(segment: Segment, removals: Iterable[tuple[int, int]]) -> Segment:
    """The segment with passages in these ranges of ids marked as gone."""
    alive = segment.alive
    for first, last in removals:
        start, end = np.searchsorted(segment.ids, first, "left"), np.searchsorted(segment.ids, last, "right")
        if start < end:
            alive = alive.copy() if alive is segment.alive else alive
            alive[start:end] = False
    return replace(segment, alive=alive)


def _tail(old: Sequence[Segment], pages: Iterable[tuple[Rows, Rows, NDArray[np.float32]]]) -> Segment | None:
    """One segment in memory of the living rows of the old tail and the new pages."""
    new = list(pages)
    if not new and len(old) == 1 and old[0].alive.all():
        return old[0]
    parts = [(s.ids[s.alive], s.documents[s.alive], s.full[s.alive]) for s in old] + new
    if not any(len(part[0]) for part in parts):
        return None
    ids, documents, full = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return _segment(ids, documents, full)

"""Killed at random moments, an ingest loses nothing, doubles nothing, and its indexes agree with the database.

Meanwhile another process searches, and sees no passage twice and none of a half-stored document.
"""

import random
import signal
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from assay.index import tables as t
from assay.index.store import Store
from index_processes import opened, run_ingest, start

_FILES = 60
_KILLS = 10


def _write(folder: Path, number: int, version: int) -> None:
    lines = [
        f"Common sentence {line} of file {number}, version {version if line % 3 == 0 else 0}." for line in range(40)
    ]
    (folder / f"{number}.txt").write_text("\n\n".join(lines), encoding="utf-8")


def _check(store: Store, folder: Path, *, complete: bool) -> None:
    """Every stored document is whole; when complete, they are the files."""
    records = {record.source: record for record in store.documents()}
    for record in records.values():
        kept = store.document(record.id)
        passages = store.passages_of(record.id)
        assert len(passages) == record.passages
        assert [p.passage.ordinal for p in passages] == list(range(len(passages)))
        assert all(kept.text[p.passage.start : p.passage.end] == p.passage.text for p in passages)
    with store.database.read() as connection:
        unembedded = connection.execute(
            sa.select(sa.func.count())
            .select_from(t.passage.outerjoin(t.vector, t.vector.c.text_hash == t.passage.c.text_hash))
            .where(t.vector.c.text_hash.is_(None))
        ).scalar()
        kept_vectors = connection.execute(sa.select(sa.func.count()).select_from(t.vector)).scalar()
        used = connection.execute(sa.select(sa.func.count(sa.distinct(t.passage.c.text_hash)))).scalar()
    assert unembedded == 0
    if complete:
        texts = {f"docs/{path.name}": path.read_text(encoding="utf-8") for path in folder.iterdir()}
        assert {source: store.document(source).text for source in records} == texts
        assert kept_vectors == used


async def test_kill_at_any_moment_and_the_next_run_completes_it(tmp_path: Path) -> None:
    chance = random.Random(20)
    docs = tmp_path / "docs"
    docs.mkdir()
    for number in range(_FILES):
        _write(docs, number, 0)
    searching, cut_short, longest_s = None, 0, 1.2
    for kill in range(3 * _KILLS):
        if kill >= _KILLS and cut_short >= _KILLS // 3:
            break
        for number in chance.sample(range(_FILES), 15):
            _write(docs, number, kill)
        (docs / f"{chance.randrange(_FILES)}.txt").unlink(missing_ok=True)
        process = start("ingest", tmp_path)
        time.sleep(chance.random() * longest_s)
        if process.poll() is None:
            cut_short += 1
        else:
            longest_s *= 0.8  # this machine is quicker than that: strike earlier
        process.send_signal(signal.SIGKILL)
        process.wait()
        if searching is None:
            searching = start("search", tmp_path)
        _check(opened(tmp_path)[1], docs, complete=False)
    assert cut_short >= _KILLS // 3, "the kills came too late to prove anything"
    await run_ingest(tmp_path)
    _, store, index = opened(tmp_path)
    _check(store, docs, complete=True)
    assert index.open().dense.generation == index.lexical.generation
    counts = store.counts()
    assert len(index.dense) == counts.passages
    assert len(index.lexical.search("common", k=counts.passages + 10)) == counts.passages
    assert (await run_ingest(tmp_path)).unchanged == counts.documents
    assert searching is not None
    assert searching.poll() is None, searching.stderr.read().decode() if searching.stderr else ""
    searching.kill()
    searching.wait()


@pytest.mark.parametrize("moment", ["lexical committed, not stamped", "dense written, not stamped"])
async def test_killed_between_an_index_and_its_stamp(tmp_path: Path, moment: str) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    for number in range(5):
        _write(docs, number, 0)
    await run_ingest(tmp_path)
    side = "lexical-" if moment.startswith("lexical") else "dense-"
    stamp = next(path for path in tmp_path.rglob("stamp.json") if path.parent.name.startswith(side))
    before = stamp.read_bytes()
    _write(docs, 3, 1)
    (docs / "4.txt").unlink()
    await run_ingest(tmp_path)
    stamp.write_bytes(before)
    _, store, index = opened(tmp_path)
    index.open()
    counts = store.counts()
    assert len(index.dense) == counts.passages
    assert len(index.lexical.search("common", k=1000)) == counts.passages

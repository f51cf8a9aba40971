"""A workspace with evaluations behind a real server: two runs on one set, some of it hostile, with its documents."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from assay.app.http.server import build
from assay.app.report.archive import Archive
from assay.app.scripted import ScriptedService
from assay.app.web.guard import Guard, allowed_hosts
from assay.evals.case import Case
from assay.evals.runs import RunRecord
from assay.index.store import Store
from index_corpus import document, put
from report_run import run_of, texts

SET = "returns"


@dataclass
class Evaluated:
    """A workspace with evaluations: the older run first."""

    archive: Archive
    runs: tuple[RunRecord, RunRecord]
    cases: list[Case]
    url: str = ""


def evaluated(folder: Path, count: int = 60) -> Evaluated:
    """Two finished runs with their scoreboards, their set by name, and the documents it is about."""
    _, _, made = run_of(folder, count, seed=1)
    runs, second, _ = run_of(folder, count, seed=2)
    archive = Archive(runs.database)
    archive.cases.save(SET, made, "returns.jsonl")
    for run in archive.runs.list():
        archive.runs.summarise(run.id, archive.index(run).board.as_json())
    corpus = texts(count)
    sources = {piece.document for case in made for piece in case.evidence}
    found = [corpus.find(source) for source in sorted(sources)]
    put(Store(runs.database), *(document(*one, title="A policy") for one in found if one))
    older = next(run for run in archive.runs.list() if run.id != second.id)
    return Evaluated(archive, (archive.runs.get(older.id), archive.runs.get(second.id)), made)


@contextmanager
def serving(archive: Archive, *, app: FastAPI | None = None, max_request_kb: int = 64) -> Iterator[str]:
    """The address of a server over the archive, with the guard around it."""
    app = app or build(ScriptedService(), archive=archive, max_request_kb=max_request_kb)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    guarded = Guard(app, hosts=allowed_hosts("127.0.0.1"))
    config = uvicorn.Config(guarded, log_level="error", lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(timeout=10)

"""Reading ahead stops where it is told to."""

from functools import partial
from types import SimpleNamespace

from assay.documents.document import Document
from assay.index.intake import Found, Intake


def test_a_stopped_intake_ends_after_the_source_at_hand() -> None:
    read: list[str] = []

    def load(name: str) -> Document:
        read.append(name)
        if len(read) == 3:
            intake.stop()
        return Document(name, "sha256:0", "Some text.")

    found = [Found(f"{n}.txt", "recipe", lambda: "", partial(load, f"{n}.txt")) for n in range(50)]
    store = SimpleNamespace(known=lambda _sources: {})
    intake = Intake(found, store=store, cut=lambda _document: [], digest="d", origin="memory")  # type: ignore[arg-type]
    batch = intake.next()
    assert batch is not None
    assert [entry.document.source for entry in batch.entries] == read
    assert len(read) == 3
    assert intake.next() is None

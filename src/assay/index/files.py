"""Files as sources: what lies under the paths given, what it is called, and what is no longer there."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from assay.documents.document import Document
from assay.documents.file import contents
from assay.documents.read import read
from assay.documents.settings import DocumentSettings
from assay.index.intake import Failure, Found
from assay.index.store import Store

FILE = "file"


class Files:
    """The files under `paths`, each once, in a fixed order; iterate once."""

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        base: Path,
        settings: DocumentSettings,
        recipe: str,
        groups: Sequence[str],
        metadata: Mapping[str, str],
    ) -> None:
        self._paths = [path.absolute() for path in paths]
        self._base = base.absolute()
        self._settings, self._recipe = settings, recipe
        self._groups, self._metadata = tuple(groups), dict(metadata)
        self._seen: set[bytes] = set()
        self._count = 0

    def count(self) -> int:
        """How many files were found so far."""
        return self._count

    def source(self, path: Path) -> str:
        """What the file at `path` is called: relative to the base, or absolute outside it."""
        return source_of(path, base=self._base)

    def __iter__(self) -> Iterator[Found | Failure]:
        for path in find(self._paths):
            source = self.source(path)
            key = _key(source)
            if key in self._seen:
                continue
            self._seen.add(key)
            self._count += 1
            yield Found(source, self._recipe, partial(self._hash, path, source), partial(self._load, path, source))

    def vanished(self, store: Store) -> Iterator[str]:
        """Sources ingested before that lay under the paths given and are no longer there."""
        roots = [self.source(path) for path in self._paths]
        for source in store.sources(origin=FILE):
            if _key(source) not in self._seen and any(_under(source, root) for root in roots):
                yield source

    def _hash(self, path: Path, source: str) -> str:
        content = contents(path, name=source, max_mb=self._settings.max_file_mb)
        return "sha256:" + hashlib.sha256(content).hexdigest()

    def _load(self, path: Path, source: str) -> Document:
        return read(path, source=source, settings=self._settings, groups=self._groups, metadata=self._metadata)


def find(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.is_file())
        else:
            yield path


def source_of(path: Path, *, base: Path) -> str:
    """What a file is called: its POSIX path relative to the base, or absolute outside it."""
    path = path.absolute()
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else path.as_posix()


def _under(source: str, root: str) -> bool:
    return root in (".", source) or source.startswith(f"{root.rstrip('/')}/")


def _key(source: str) -> bytes:
    """Eight bytes instead of a path: a million files seen cost 60 MB, not 200."""
    return hashlib.blake2b(source.encode(errors="surrogatepass"), digest_size=8).digest()

"""Files as sources: what lies under the paths given, what it is called, and what is no longer there."""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from assay.documents import walk
from assay.documents.document import Document
from assay.documents.file import contents
from assay.documents.isolated import Isolated
from assay.documents.read import read
from assay.documents.settings import DocumentSettings
from assay.errors import Conflict
from assay.index.intake import Failure, Found
from assay.index.store import Store

FILE = "file"


class Files:
    """The files under `paths`, each once, in a fixed order; iterate once.

    A file given that is gone, but that was ingested before, is no failure: it is removed. A folder that is gone or
    empty is more likely renamed or not mounted, so `check` refuses it unless `remove_missing`.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        store: Store,
        base: Path,
        settings: DocumentSettings,
        recipe: str,
        groups: Sequence[str],
        metadata: Mapping[str, str],
        isolated: Isolated,
        remove_missing: bool = False,
    ) -> None:
        self._paths = [_absolute(path) for path in paths]
        self._store, self._base = store, _absolute(base)
        self._settings, self._recipe = settings, recipe
        self._groups, self._metadata = tuple(groups), dict(metadata)
        self._isolated = isolated
        self._remove_missing = remove_missing
        self._seen: set[bytes] = set()
        self._count = 0

    def count(self) -> int:
        """How many files there are; 0 before the first is asked for."""
        return self._count

    def __iter__(self) -> Iterator[Found | Failure]:
        # Counting first costs a second walk over names, and gives whoever waits an honest total.
        self._count = sum(1 for _ in walk.find(self._paths))
        for found in walk.find(self._paths):
            source = source_of(found.path, base=self._base)
            if isinstance(found, walk.Failure):
                if not self._was_removed(found, source):
                    yield Failure(source, found.code, found.message, found.hint)
                continue
            key = source_key(source)
            if key not in self._seen:
                self._seen.add(key)
                hashed, load = partial(self._hash, found.path, source), partial(self._load, found.path, source)
                yield Found(source, self._recipe, hashed, load)

    def check(self) -> None:
        """Raise Conflict where a folder given holds no file at all, though documents of it are known."""
        if self._remove_missing:
            return
        for path in self._paths:
            if any(isinstance(found, walk.Found) for found in walk.find([path])) or self._is_removed_file(path):
                continue
            lost = sum(1 for _ in self._gone_from([path]))
            if lost:
                state = "holds no file that can be read" if path.is_dir() else "does not exist"
                documents = "one document" if lost == 1 else f"{lost:,} documents"
                raise Conflict(
                    f"{path} {state}, and the workspace holds {documents} from it that would be removed.",
                    hint="Restore or mount it, or run assay ingest with --remove-missing to remove them.",
                    code="missing_folder",
                )

    def vanished(self) -> Iterator[str]:
        """Sources that lay under the paths given, and whose files are there no more. Raises Conflict as `check`."""
        self.check()  # a disk may go away while it is read
        yield from self._gone_from(self._paths)

    def _gone_from(self, paths: Sequence[Path]) -> Iterator[str]:
        roots = [source_of(path, base=self._base) for path in paths]
        for source in self._store.sources(origin=FILE):
            under = any(root in (".", source) or source.startswith(f"{root.rstrip('/')}/") for root in roots)
            if under and source_key(source) not in self._seen and _is_gone(self._base / source):
                yield source

    def _is_removed_file(self, path: Path) -> bool:
        """Whether this is a file ingested by its name before, and its folder is still there."""
        return path.parent.is_dir() and bool(self._store.known([source_of(path, base=self._base)]))

    def _was_removed(self, failure: walk.Failure, source: str) -> bool:
        """Whether a path given is gone, and was ingested before."""
        if failure.code != "not_found" or failure.path not in self._paths:
            return False
        return bool(self._store.known([source]) or self._store.documents(prefix=f"{source}/", limit=1))

    def _hash(self, path: Path, source: str) -> str:
        content = contents(path, name=source, max_mb=self._settings.max_file_mb)
        return "sha256:" + hashlib.sha256(content).hexdigest()

    def _load(self, path: Path, source: str) -> Document:
        return read(
            path,
            source=source,
            settings=self._settings,
            groups=self._groups,
            metadata=self._metadata,
            isolated=self._isolated,
        )


def source_of(path: Path, *, base: Path) -> str:
    """What a file is called: its POSIX path relative to the base, or absolute outside it.

    Bytes of a name that are not UTF-8 are written as `\\xff`: no database takes them.
    """
    path, base = _absolute(path), _absolute(base)
    name = path.relative_to(base).as_posix() if path.is_relative_to(base) else path.as_posix()
    return name if name.isascii() else os.fsencode(name).decode("utf-8", "backslashreplace")


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))


def _is_gone(path: Path) -> bool:
    """Whether there is nothing at a path; what cannot be looked at is not gone."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def source_key(source: str) -> bytes:
    """Eight bytes for a path in a set of those seen: a million files cost 60 MB, not 200."""
    return hashlib.blake2b(source.encode(errors="surrogatepass"), digest_size=8).digest()

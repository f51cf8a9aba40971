"""Find the files under some paths, in the same order every time, as a stream.

Only the names of one folder at a time (and of the folders above it) are held, so a hundred thousand files take
no more memory than the largest folder's names. What cannot be walked is a value in the stream, and
the walk goes on. Proved by `tests/unit/documents/test_walk.py`.
"""

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

_SKIPPED = frozenset({"node_modules", "__pycache__", "__MACOSX", "Thumbs.db", "desktop.ini"})
# A folder that holds one of these says itself that it holds no documents: a cache, a virtual environment.
_NOT_DOCUMENTS = frozenset({"CACHEDIR.TAG", "pyvenv.cfg"})

_Identity = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Found:
    """A file to read, and the path among those asked for that it was found under."""

    path: Path
    root: Path


@dataclass(frozen=True, slots=True)
class Failure:
    """A path that could not be walked: `not_found`, `permission`, `symlink_loop`, `not_a_file` or `unreadable`."""

    path: Path
    code: str
    message: str
    hint: str


def find(paths: Iterable[Path]) -> Iterator[Found | Failure]:
    """Every file at or under `paths`: each once, by name within its folder, links followed.

    Hidden names are skipped unless asked for, and so are version control, caches and virtual environments.
    """
    walk = _Walk()
    roots = list(paths)
    for root in roots:
        yield from walk.files_named(root)
    for root in roots:
        yield from walk.files_under(root)


class _Walk:
    def __init__(self) -> None:
        self._named: set[_Identity] = set()
        self._entered: set[_Identity] = set()

    def files_named(self, root: Path) -> Iterator[Found | Failure]:
        """The root itself where it is not a folder."""
        try:
            status = os.stat(root)
        except OSError as error:
            yield _failure(root, error)
            return
        if stat.S_ISDIR(status.st_mode):
            return
        identity = (status.st_dev, status.st_ino)
        if identity not in self._named:
            self._named.add(identity)
            # A pipe or a device is handed on too: reading it says what is wrong with it.
            yield Found(root, root.parent)

    def files_under(self, root: Path) -> Iterator[Found | Failure]:
        """The files in the folder `root` and below, depth first."""
        if not root.is_dir():
            return
        above: list[tuple[_Identity, Iterator[str], Path]] = []
        entering: Path | None = root
        while entering is not None or above:
            if entering is not None:
                opened = self._enter(entering, {identity for identity, _, _ in above})
                if isinstance(opened, Failure):
                    yield opened
                elif opened is not None:
                    above.append((opened[0], iter(opened[1]), entering))
                entering = None
                continue
            _, names, folder = above[-1]
            name = next(names, None)
            if name is None:
                above.pop()
                continue
            result = self._look(folder / name, root)
            if isinstance(result, Path):
                entering = result
            elif result is not None:
                yield result

    def _enter(self, folder: Path, above: set[_Identity]) -> tuple[_Identity, list[str]] | Failure | None:
        """The folder's identity and sorted names, a Failure, or None where there is nothing new in it."""
        try:
            status = os.stat(folder)
            identity = (status.st_dev, status.st_ino)
            if identity in above:
                return Failure(
                    folder,
                    "symlink_loop",
                    f"{folder} links back to a folder above it",
                    "Remove the link, or leave it: it was not followed.",
                )
            if identity in self._entered:
                return None
            self._entered.add(identity)
            with os.scandir(folder) as entries:
                names = sorted(entry.name for entry in entries)
        except OSError as error:
            return _failure(folder, error)
        return None if _NOT_DOCUMENTS.intersection(names) else (identity, names)

    def _look(self, path: Path, root: Path) -> Found | Failure | Path | None:
        """A file is Found, a folder comes back as its path, what is skipped as None."""
        if path.name.startswith((".", "~$")) or path.name in _SKIPPED:
            return None
        try:
            status = os.stat(path)
        except OSError as error:
            return _failure(path, error)
        if stat.S_ISDIR(status.st_mode):
            return path
        if (status.st_dev, status.st_ino) in self._named:
            return None
        if not stat.S_ISREG(status.st_mode):
            return Failure(path, "not_a_file", f"{path} is not a regular file", "Move it out of the folder.")
        return Found(path, root)


def _failure(path: Path, error: OSError) -> Failure:
    match error:
        case FileNotFoundError() if path.is_symlink():
            return Failure(path, "not_found", f"{path} links to nothing", "Remove the link or repair it.")
        case FileNotFoundError() | NotADirectoryError():
            return Failure(path, "not_found", f"{path} does not exist", _nearest(path))
        case PermissionError():
            return Failure(path, "permission", f"{path} may not be read by this user", "Change its permissions.")
        case _ if error.errno == errno.ELOOP:
            return Failure(path, "symlink_loop", f"{path} links to itself", "Remove the link.")
        case _:
            return Failure(path, "unreadable", f"{path} cannot be read: {error.strerror}", "Check the disk.")


def _nearest(path: Path) -> str:
    """What to do about a missing path, with the nearest name beside it."""
    try:
        names = os.listdir(path.parent)
    except OSError:
        return "Check the path."
    close = get_close_matches(path.name, names, n=1, cutoff=0.6)
    return f"Did you mean {path.parent / close[0]}?" if close else "Check the path."

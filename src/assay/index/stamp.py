"""The stamp of a derived index: which state of which database its files stand for.

A stamp is written last, in one rename, after the files it names: a crash leaves the old stamp or the new
one, never half of one. `checksum` finds a damaged file at open, at the speed of memory.
"""

import errno
import json
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from assay.errors import Conflict

NAME = "stamp.json"
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Stamp:
    """An index made from database `instance` at `generation`, holding passages up to `last_id`.

    `data` names the folder or file prefix the stamp stands for; `files` are checksums by file name.
    """

    instance: str
    generation: int
    last_id: int
    rows: int
    data: str
    files: Mapping[str, str] = field(default_factory=dict)


def read_stamp(folder: Path) -> Stamp | None:
    """The stamp in a folder; None where there is none or it cannot be read."""
    try:
        stamp = Stamp(**json.loads((folder / NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    numbers = (stamp.generation, stamp.last_id, stamp.rows)
    return stamp if all(isinstance(number, int) for number in numbers) and isinstance(stamp.files, dict) else None


def write_stamp(folder: Path, stamp: Stamp) -> None:
    """Put a stamp in force, durably, in one step."""
    draft = folder / f"{NAME}.{os.getpid()}"
    with draft.open("w", encoding="utf-8") as file:
        json.dump(asdict(stamp), file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / NAME)


def checksum(path: Path) -> str:
    """Size and a checksum of 64-bit sums per MiB: changes with any damaged byte, reads 100 MB in some 20 ms.

    Read, not mapped: a mapped file would count as memory of ours.
    """
    crc, size = 0, 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            size += len(block)
            whole = len(block) - len(block) % 8
            sum_of_words = int(np.frombuffer(block, "<u8", whole // 8).sum(dtype=np.uint64))
            crc = zlib.crc32(block[whole:], zlib.crc32(sum_of_words.to_bytes(8, "little"), crc))
    return f"{size}:{crc:08x}"


def intact(folder: Path, files: Mapping[str, str]) -> bool:
    """Whether every named file is there with the checksum it had."""
    try:
        return all(checksum(folder / name) == expected for name, expected in files.items())
    except OSError:
        return False


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """What the file system may answer while an index is written, as ours."""
    try:
        yield
    except (OSError, ValueError) as error:
        # tantivy raises ValueError for what the disk says too.
        if isinstance(error, ValueError) and "os error" not in str(error) and "No space left" not in str(error):
            raise
        if getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error):
            raise Conflict(
                f"The disk that holds {folder} is full.",
                hint="Free some space and run the command again; what was stored is intact.",
                code="disk_full",
            ) from error
        raise Conflict(
            f"The index folder {folder} cannot be written: {getattr(error, 'strerror', None) or error}.",
            hint="Check the permissions of the workspace folder.",
            code="not_writable",
        ) from error

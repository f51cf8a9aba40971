"""Office files are ZIP archives: refuse bombs before a parser sees them.

What the archive says of its own sizes is not believed: every member is decompressed once, piece by
piece, and counted. Nothing is kept. Proved by `tests/story/test_bad_documents.py`.
"""

import zipfile
import zlib
from io import BytesIO

from assay.errors import Unreadable

_MEGABYTE = 1_048_576
_MOST_MEMBERS = 20_000
_MOST_BYTES = 1024 * _MEGABYTE
# XML compresses ten- to fiftyfold, a bomb a thousandfold; small archives may do as they like.
_MOST_RATIO = 200
_HARMLESS_BYTES = 32 * _MEGABYTE
_UNBOUNDED = 2**62
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def checked_archive(content: bytes, *, name: str) -> zipfile.ZipFile:
    """The archive in `content`, known to unpack to a bearable size.

    Raises Unreadable: `zip_bomb`, `encrypted` (Office wraps encrypted files in another format), `damaged`.
    """
    if content.startswith(_OLE):
        raise Unreadable(
            f"{name} is encrypted, or of an Office version before 2007",
            hint="Save it in the current format without a password.",
            code="encrypted",
        )
    try:
        archive = zipfile.ZipFile(BytesIO(content))
        if len(archive.infolist()) > _MOST_MEMBERS:
            raise _bomb(name, f"holds {len(archive.infolist()):,} files")
        _count(archive, len(content), name)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError) as error:
        raise damaged(name) from error
    except RuntimeError as error:  # zipfile's way of saying that a member needs a password
        raise Unreadable(f"{name} is encrypted", hint="Save a copy without a password.", code="encrypted") from error
    return archive


def damaged(name: str) -> Unreadable:
    """The failure of a file whose format is broken."""
    return Unreadable(
        f"{name} is damaged or cut short",
        hint="Open it in its own program and save it again, or fetch a whole copy.",
        code="damaged",
    )


def _count(archive: zipfile.ZipFile, packed: int, name: str) -> None:
    limit = min(max(_MOST_RATIO * packed, _HARMLESS_BYTES), _MOST_BYTES)
    total = 0
    for member in archive.infolist():
        declared = member.file_size
        member.file_size = _UNBOUNDED  # else zipfile stops at the declared size, which a bomb understates
        try:
            with archive.open(member) as stream:
                while part := stream.read(_MEGABYTE):
                    total += len(part)
                    if total > limit:
                        raise _bomb(name, f"unpacks to more than {limit // _MEGABYTE:,} MiB")
        finally:
            member.file_size = declared


def _bomb(name: str, what: str) -> Unreadable:
    return Unreadable(
        f"{name} {what}; it looks like a zip bomb",
        hint="Do not trust this file; if you must have it, open it in its own program and save it as PDF.",
        code="zip_bomb",
    )

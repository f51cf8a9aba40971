"""A copy of a derived index, for a workspace that cannot be written: even readers make lock files in an index.

The copy is checked against the database like any index; where it is not at the database's state it is rebuilt there.
Proved by `tests/story/test_read_only.py`.
"""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from assay.index.stamp import disk_errors


def copied(folder: Path) -> "TemporaryDirectory[str]":
    """The files of `folder`, which need not exist, in a temporary folder that the caller cleans up."""
    copy = TemporaryDirectory(prefix="assay-index-")
    with disk_errors(Path(copy.name)):
        for file in folder.rglob("*"):
            if file.is_file():
                target = Path(copy.name, file.relative_to(folder))
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)  # without its permissions: they forbid what the copy is for
    return copy

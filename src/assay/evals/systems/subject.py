"""What names a system's behaviour: a digest over everything that can change an output.

Invariant: equal subjects give equal outputs, so outputs kept under a subject may be used again. Code counts: the source
files of the rooms that answer are part of it, so an edited line is another subject. Proved by
`tests/unit/evals/test_systems_own.py`.
"""

import functools
import hashlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay.errors import NotFound
from assay.ledger.values import key_of

ANSWERING = ("assay.answers", "assay.documents", "assay.index", "assay.models")


def subject_of(parts: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of `parts`: settings, digests of prompts, models and corpus, `code_version`. All of it is JSON.

    Raises TypeError for what is not JSON, and ValueError for no parts: nothing names no system.
    """
    if not parts:
        raise ValueError("a subject needs at least one part")
    return key_of("subject", parts)


@functools.cache
def code_version(*packages: str) -> str:
    """The first 16 hex digits of a SHA-256 over the source and data files of `packages` (default: what answers).

    Read once a process. Data files count where they stand inside a package: weights of a classifier are behaviour.
    """
    total = hashlib.sha256()
    for package in sorted(packages or ANSWERING):
        for name, path in _files_of(package):
            total.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()[:16]


def _files_of(package: str) -> list[tuple[str, Path]]:
    """(name inside the package, path) of every file of `package`, in an order that no file system changes."""
    found = importlib.util.find_spec(package)
    if found is None:
        raise NotFound(f"There is no package {package}.", hint="Name an installed package.")
    folders = [Path(folder) for folder in found.submodule_search_locations or ()]
    if not folders:
        return [(package, Path(found.origin))] if found.origin else []
    files = [
        (f"{package}/{path.relative_to(folder).as_posix()}", path)
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    return sorted(files)

"""The file a user's function is written in, by module and digest, and whether it is still the same.

Whether it changed is found by looking for the file as an import would, and importing nothing: listing what was released
must not run anybody's code. Invariant: what cannot be found is not called edited. Proved by
`tests/unit/evals/test_systems_source.py`.
"""

import hashlib
import inspect
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any


def source_of(target: Callable[..., Any]) -> dict[str, str]:
    """{"module", "sha256"} of the file that defines `target`; empty where there is none (a notebook, a C function)."""
    with suppress(TypeError, OSError):
        written = inspect.unwrap(target)
        if file := inspect.getsourcefile(written):
            return {"module": str(written.__module__), "sha256": _digest(Path(file))}
    return {}


def is_edited(system: str | None, spec: Mapping[str, Any], *, folder: Path | None = None) -> bool | None:
    """Whether the file that `spec` (a callable's) names differs now; None where that cannot be told.

    `system` is what `--system` named, so that its folder is looked in too, before `folder` (default: the current one).
    """
    source = spec.get("source") or {}
    if not system or not source.get("module") or not source.get("sha256"):
        return None
    folder = folder or Path.cwd()
    files = [system] if system.endswith(".toml") else []
    files += [str(spec.get("target") or "").rpartition(":")[0], system.rpartition(":")[0]]
    places = [str((folder / Path(file).expanduser()).parent) for file in files if file.endswith((".toml", ".py"))]
    with suppress(OSError, ImportError, ValueError):
        found = _found(source["module"], [*places, str(folder), *sys.path])
        if found is not None and found.origin is not None:
            return _digest(Path(found.origin)) != str(source["sha256"])
    return None


def _found(module: str, places: list[str]) -> ModuleSpec | None:
    """The module by its dotted name, as `import` would find it in these folders."""
    found, name = None, ""
    for part in module.split("."):
        name = f"{name}.{part}" if name else part
        found = PathFinder.find_spec(name, places)
        if found is None:
            return None
        places = list(found.submodule_search_locations or ())
    return found


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()

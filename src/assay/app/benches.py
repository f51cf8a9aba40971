"""What `assay bench` measures, apart from how it prints it."""

import importlib.metadata
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio

from assay.app.settings import SettingsInForce


def bench_retrieval(
    folder: Path, in_force: SettingsInForce, *, note: Callable[[str], None], progress: Callable[[Any], None]
) -> dict[str, Any]:
    """The object of `assay bench retrieval --json`, measured in a workspace of its own that is thrown away."""
    from assay.app.wiring import bench_beir

    with tempfile.TemporaryDirectory(prefix="assay-bench-") as scratch:
        return anyio.run(
            lambda: bench_beir(folder, in_force, home=Path(scratch) / ".assay", note=note, progress=progress)
        )


def bench_install(*, runs: int = 5) -> dict[str, Any]:
    """Size on disk of Assay and everything it requires, and the median time of `assay --help`."""
    sizes = {name: _megabytes(name) for name in _closure("assay")}
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "assay.app.cli.main", "--help"], check=True, stdout=subprocess.DEVNULL)
        times.append((time.perf_counter() - started) * 1000)
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:8]
    return {
        "installed_mb": round(sum(sizes.values()), 1),
        "distributions": len(sizes),
        "largest": [{"name": name, "mb": round(size, 1)} for name, size in largest],
        "torch": importlib.util.find_spec("torch") is not None,
        "help_ms": round(statistics.median(times), 1),
        "runs": runs,
    }


def _closure(root: str) -> set[str]:
    """Names of `root` and every distribution it requires here, extras left out."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    seen: set[str] = set()
    waiting = [canonicalize_name(root)]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        try:
            requires = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        seen.add(name)
        for text in requires:
            requirement = Requirement(text)
            # uvicorn[standard] and the like: an extra asked for by a dependency is part of the closure.
            environments = [{"extra": extra} for extra in ("", "standard", "asyncio-client")]
            if requirement.marker is None or any(requirement.marker.evaluate(e) for e in environments):
                waiting.append(canonicalize_name(requirement.name))
    return seen


def _megabytes(name: str) -> float:
    """What a distribution occupies, compiled bytecode included whether or not its record lists it."""
    distribution = importlib.metadata.distribution(name)
    files = {Path(str(distribution.locate_file(file))).resolve() for file in distribution.files or []}
    for source in [path for path in files if path.suffix == ".py"]:
        files.update((source.parent / "__pycache__").glob(f"{source.stem}.cpython-*.pyc"))
    return sum(path.stat().st_size for path in files if path.is_file()) / 1e6

"""The retrieval designs of a space on a BEIR folder: `assay bench retrieval FOLDER --space SPACE.toml`.

What a space says of answers and models is left aside: designs that find passages alike are one. Proved by
`tests/unit/app/test_bench_space.py`.
"""

import asyncio
import csv
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio

from assay.app.daemon import in_daemon_thread
from assay.app.race_arms import meaning
from assay.app.settings import Settings, SettingsInForce
from assay.decisions.race.space import Arm, LeftOut, Space, settled
from assay.errors import BadInput, BadSetting
from assay.index.beir import load_beir
from assay.index.bench_designs import Design, bench_designs
from assay.index.ingest import IngestProgress
from assay.models import catalogue

_CUT = ("documents.cut", "documents.size", "documents.overlap")
_EMBEDDER = ("models.embedder", "models.embedder_base_url")


@dataclass(frozen=True, slots=True)
class RetrievalSpace:
    """The different retrieval designs of a space, settings of each, what is left out, and what people should know."""

    arms: tuple[Arm, ...]
    settings: tuple[Settings, ...]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]


def retrieval_space(space: Space, base: SettingsInForce) -> RetrievalSpace:
    """Raises BadInput where the space has none, BadSetting for a factor that is no setting."""
    if space.system is not None:
        raise BadInput(
            "The space is of a system of your own, and BEIR folders are searched by Assay.",
            hint="Leave [system] out, and name settings such as index.dense_weight.",
        )
    for factor in space.factors:
        if factor.name not in base.origins:
            base.changed({factor.name: factor.levels[0]})  # refuses it, naming the nearest
    factors = tuple(factor for factor in space.factors if factor.name.startswith("index.") or factor.name in _CUT)
    embedders = [factor.name for factor in space.factors if factor.name in _EMBEDDER]
    if embedders:
        raise BadInput(
            f"{embedders[0]} cannot be a factor here: all designs share one embedder.",
            hint=f"Run it once for each level, with --set {embedders[0]}=...",
        )
    if not factors:
        raise BadInput("The space has no factor that changes retrieval.", hint='For example: "index.mode" = ["dense"]')
    changed = base.changed(space.base)

    def check(levels: Mapping[str, Any]) -> str:
        try:
            settings = changed.changed(levels).settings
        except BadSetting as error:
            raise BadInput(error.message, hint=error.hint) from error
        if settings.documents.overlap > settings.documents.size // 2:
            raise BadInput(f"documents.overlap = {settings.documents.overlap} is more than half of documents.size.")
        if settings.index.rerank:
            raise BadInput("it re-ranks: measure it alone, with --set")
        rooms = meaning(settings)
        return json.dumps([rooms["index"], rooms["documents"]], sort_keys=True, default=str)

    arms, left_out = settled(replace(space, factors=factors, base={}, prompts=None), check)
    aside = [factor.name for factor in space.factors if factor not in factors]
    notes = [f"not retrieval, left aside: {', '.join(aside)}"] if aside else []
    if any(factor.name == "index.k" for factor in factors):
        notes.append("index.k changes no figure here: 100 documents are ranked whatever it is")
    return RetrievalSpace(arms, tuple(changed.changed(arm.levels).settings for arm in arms), left_out, tuple(notes))


def bench_space(
    folder: Path,
    space: Space,
    in_force: SettingsInForce,
    *,
    note: Callable[[str], None],
    progress: Callable[[IngestProgress], None],
) -> dict[str, Any]:
    """The object of `assay bench retrieval --space --json`, measured in workspaces that are thrown away."""
    found = retrieval_space(space, in_force)

    async def measured(home: Path) -> dict[str, Any]:
        collection = await asyncio.to_thread(load_beir, folder)
        models = found.settings[0].models
        embedder = await in_daemon_thread(lambda: catalogue.embedder(models))
        started = time.perf_counter()
        try:
            bench = await bench_designs(
                collection,
                [Design(settings.documents, settings.index) for settings in found.settings],
                home=home,
                embedder=embedder,
                threads=models.threads,
                progress=progress,
                note=note,
            )
        finally:
            await embedder.aclose()
        designs = [
            {"name": arm.name, "number": arm.number, "levels": dict(arm.levels), **result.as_json()}
            for arm, result in zip(found.arms, bench.results, strict=True)
        ]
        return {
            "dataset": bench.name,
            "documents": bench.documents,
            "queries": len(bench.queries),
            "items": list(bench.queries),
            "seconds": time.perf_counter() - started,
            "designs": sorted(designs, key=lambda design: (-design["ndcg@10"], design["number"])),
            "left_out": [{"levels": dict(one.levels), "why": one.why} for one in found.left_out],
            "notes": list(found.notes),
        }

    with tempfile.TemporaryDirectory(prefix="assay-bench-") as scratch:
        return anyio.run(measured, Path(scratch))


def write_matrix(path: Path, shape: Mapping[str, Any]) -> None:
    """nDCG@10 of every design on every query, as `assay race --replay` reads it: the item, then a column a design."""
    designs: Sequence[Mapping[str, Any]] = sorted(shape["designs"], key=lambda design: design["number"])
    columns = [design["ndcg@10_by_query"] for design in designs]
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(["item", *(design["name"] for design in designs)])
            rows.writerows(zip(shape["items"], *columns, strict=True))
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror}.", hint="Name a file you can write.") from error

"""Both sides of a gate: scores from a file, a run, a release measured now, or the system as it stands."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from assay.app.contender import Contender, contender, serving
from assay.app.evaluating import evaluation
from assay.app.measuring import Chosen, Measuring
from assay.app.released import under
from assay.app.settings import SettingsInForce
from assay.decisions.declare import metric_for
from assay.decisions.gate import Called
from assay.decisions.releases import Releases
from assay.decisions.results import Scored, read_results
from assay.decisions.split import SplitStore
from assay.errors import BadInput, LimitReached, NotFound
from assay.evals.runs import RunRecord

Sides = tuple[list[Scored], list[Scored]]


async def sides_of(
    measuring: Measuring,
    in_force: SettingsInForce,
    baseline: str,
    candidate: str | None,
    *,
    named: str | None,
    system: str | None,
    system_settings: Mapping[str, Any],
    budget_usd: float | None,
    note: Callable[[str], None],
) -> tuple[Sides, Called]:
    """Scores of baseline and candidate, and what they are called.

    What is not measured yet is measured now, on the dev part of the set where it was split: a gate runs often, and the
    confirm part is for decisions. Raises NotFound for what is nowhere, LimitReached where the budget stopped it.
    """
    record = _run(measuring, baseline)
    for reference in filter(None, (baseline, candidate)):  # what is nowhere is said first, before any cases are
        if not is_scores_file(reference) and _run(measuring, reference) is None:
            await asyncio.to_thread(_release, measuring, in_force, reference)
    chosen = _cases(measuring, named, record)
    metric = metric_for(in_force.settings.decisions, chosen.cases)
    first = await _side(measuring, in_force, baseline, chosen, metric, budget_usd=budget_usd, note=note)
    if candidate is not None:
        second = await _side(measuring, in_force, candidate, chosen, metric, budget_usd=budget_usd, note=note)
    else:
        made = contender(system, assignments={}, system_settings=system_settings)
        second = await _asked(measuring, in_force, made, chosen, metric, budget_usd=budget_usd, note=note)
    return (first[0], second[0]), Called(first[1], second[1], metric)


def _cases(measuring: Measuring, named: str | None, record: RunRecord | None) -> Chosen:
    if named is None and record is not None:
        return Chosen(record.spec.set_name, record.spec.set_digest, measuring.cases_of(record))
    chosen = measuring.choose(named)
    split = SplitStore(measuring.workspace.database).read(chosen.name, chosen.cases)
    if split is None or not split.dev:
        return chosen
    title = f"{chosen.name}, dev"
    return Chosen(title, measuring.save_part(title, split.dev), split.dev)


async def _side(
    measuring: Measuring,
    in_force: SettingsInForce,
    named: str,
    chosen: Chosen,
    metric: str,
    *,
    budget_usd: float | None,
    note: Callable[[str], None],
) -> tuple[list[Scored], str]:
    if is_scores_file(named):
        return await asyncio.to_thread(read_results, Path(named), metric=metric), named
    record = _run(measuring, named)
    if record is not None:
        return _scored(measuring, record, metric), f"{record.spec.system} ({record.id[:8]})"
    made, in_force = await asyncio.to_thread(_release, measuring, in_force, named)
    return await _asked(measuring, in_force, made, chosen, metric, budget_usd=budget_usd, note=note)


async def _asked(
    measuring: Measuring,
    in_force: SettingsInForce,
    made: Contender,
    chosen: Chosen,
    metric: str,
    *,
    budget_usd: float | None,
    note: Callable[[str], None],
) -> tuple[list[Scored], str]:
    settings = made.in_force(in_force).changed({"evals.metrics": metric})
    async with evaluation(
        measuring,
        chosen,
        settings,
        system=made.system,
        system_settings=made.system_settings or None,
        budget_usd=budget_usd,
    ) as ready:
        note(f"Measuring {ready.system.name} on {len(chosen.cases):,} cases of {chosen.name}.")
        record = await ready.results()
    if record.status != "done":
        raise LimitReached(
            f"The budget stopped the run of {record.spec.system}.",
            hint="Run the gate again with a larger --budget-usd.",
        )
    return _scored(measuring, record, metric), f"{record.spec.system} ({record.id[:8]})"


def is_scores_file(named: str) -> bool:
    """Whether a reference names a file of scores, there or not."""
    return named.endswith(".jsonl") or Path(named).is_file()


def _run(measuring: Measuring, named: str) -> RunRecord | None:
    try:
        return measuring.runs.get(named)
    except (NotFound, BadInput):
        return None


def _release(measuring: Measuring, in_force: SettingsInForce, named: str) -> tuple[Contender, SettingsInForce]:
    """A release to be measured, and the settings it stands on."""
    releases = Releases(measuring.workspace.database)
    if named == "live":
        if releases.live() is None:
            raise NotFound(
                "Nothing was released yet, so nothing is live.",
                hint="Name a run of `assay runs` or a JSONL file of scores, or make the first release: assay promote",
            )
        return serving(measuring, in_force)
    try:
        found = releases.get(named)
    except (NotFound, BadInput):
        raise NotFound(
            f"{named} is neither a file, nor a run, nor a release.",
            hint="Name a JSONL file, a run of `assay runs`, a release of `assay releases`, or live.",
        ) from None
    if found.served.is_own:
        return Contender(), under(in_force, found, strictly=True)
    return Contender(system=found.served.system, system_settings=found.served.changes), in_force


def _scored(measuring: Measuring, record: RunRecord, metric: str) -> list[Scored]:
    return [
        Scored(line["case"], line["score"], line.get("cluster"), line["cost_usd"], line["latency_ms"])
        for line in measuring.score_lines(record, metric)
    ]

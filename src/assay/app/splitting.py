"""How a set of cases is divided and what its evidence budget has left, as shown to people and programs."""

from dataclasses import dataclass, replace
from typing import Any

from assay.app.measuring import Measuring
from assay.decisions.evidence_budget import EvidenceBudget, Spent, Standing
from assay.decisions.register import Decision, Register
from assay.decisions.seasons import ASSUMED_DISC, Season, Split
from assay.decisions.split import SplitStore, label_of
from assay.errors import NotFound
from assay.evals.case import Case

GAIN = 0.05
"""The gain whose chance to be shown is printed: five points."""


@dataclass(frozen=True, slots=True)
class Budgeted:
    """The budget of one season with its cases (None where all of them are dev by now) and its decisions."""

    season: Season | None
    standing: Standing
    decisions: dict[str, Decision]


def named_set(measuring: Measuring, name: str | None) -> tuple[str, list[Case]]:
    """A set by its name, the newest one where none is given: a split belongs to the name, not to a version."""
    if name is None:
        chosen = measuring.choose(None)
        return chosen.name, list(chosen.cases)
    if not measuring.cases.versions(name):
        measuring.cases.digest(name)  # says which names there are, unless it is a digest
        raise NotFound(f"{name} is a version, and a split belongs to a name.", hint="Give the name of the set.")
    return name, measuring.cases.load(name)


def split_set(measuring: Measuring, name: str | None, *, dev_share: float | None) -> Split:
    """Split a set, or show the split it has with its new cases placed."""
    found, cases = named_set(measuring, name)
    return SplitStore(measuring.workspace.database).split(found, cases, dev_share=dev_share)


def budgets(measuring: Measuring, name: str | None) -> tuple[str, list[Budgeted]]:
    """The name of a set and the budget of each of its seasons; none for a set that was never split."""
    database = measuring.workspace.database
    set_name, cases = named_set(measuring, name)
    split = SplitStore(database).read(set_name, cases)
    if split is None:
        return set_name, []
    budget = EvidenceBudget(database)
    register = Register(database)
    found = (replace(one, status=register.state(one)) for one in register.list(10_000, set_name=set_name))
    decisions = {one.id: one for one in found}
    by_number = {one.number: one for one in split.seasons}
    spent = budget.seasons(set_name)
    return set_name, [
        Budgeted(by_number.get(number), budget.standing(set_name, number), decisions)
        for number in sorted({*by_number, *spent})
    ]


def split_shape(split: Split) -> dict[str, Any]:
    """The object of `assay cases split --json`. Shares and gains are fractions: 0.05 is five points."""
    return {
        "set": split.set_name,
        "dev_share": split.dev_share,
        "dev": {
            "clusters": len({label_of(case) for case in split.dev}),
            "cases": len(split.dev),
            "ids": [case.id for case in split.dev],
        },
        "season": split.season,
        "seasons": [_season_shape(season) for season in split.seasons],
        "assumed_disc": ASSUMED_DISC,
        "warnings": list(split.warnings),
    }


def budget_shape(set_name: str, found: list[Budgeted]) -> dict[str, Any]:
    """The object of `assay cases budget --json`."""
    return {
        "set": set_name,
        "assumed_disc": ASSUMED_DISC,
        "seasons": [
            {
                **_standing_shape(one.standing),
                "cases": len(one.season.cases) if one.season else 0,
                "clusters": one.season.clusters if one.season else 0,
                "chance": None if one.season is None else _chance_shape(one.season),
                "lines": [_line_shape(line, one) for line in one.standing.lines],
            }
            for one in found
        ],
    }


def _season_shape(season: Season) -> dict[str, Any]:
    return {
        "season": season.number,
        "clusters": season.clusters,
        "cases": len(season.cases),
        "alpha_next": season.spending.next,
        "left": season.spending.left,
        "detectable": {
            "cases_independent": season.detectable(),
            "clusters_as_one": season.detectable(together=True),
        },
    }


def _standing_shape(standing: Standing) -> dict[str, Any]:
    spending = standing.spending
    return {
        "season": standing.season,
        "alpha": spending.alpha,
        "alpha_next": spending.next,
        "left": spending.left,
    }


def _chance_shape(season: Season) -> dict[str, float]:
    return {
        "gain": GAIN,
        "cases_independent": season.chance(GAIN),
        "clusters_as_one": season.chance(GAIN, together=True),
    }


def _line_shape(line: Spent, one: Budgeted) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "ordinal": line.ordinal,
        "decision": line.decision_id,
        "opened": line.cluster,
        "alpha": line.alpha,
        "carried": line.carried,
        "handed_on": 0.0 if line.decision_id is None else one.standing.handed_on(line.decision_id),
        "spent_ns": line.spent_ns,
    }
    decision = one.decisions.get(line.decision_id or "")
    if decision is not None:
        shape |= {
            "candidate": decision.hypothesis.candidate.name,
            "status": decision.status,
            "verdict": decision.verdict,
        }
    return shape

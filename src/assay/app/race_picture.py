"""A race as an object for its page, its terminal view and `--json`: everything of it that is shown, as it stands."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from assay.app import race_shape as shape
from assay.app.race_arms import Entry, Field
from assay.app.race_prune import Pruned
from assay.app.released import served_by
from assay.decisions.race.halving import Round
from assay.ledger.redaction import without_keys

if TYPE_CHECKING:
    from assay.app.race import Race


def view_of(race: "Race", status: str) -> dict[str, Any]:
    """The race as it stands (see `race_shape`)."""
    assert race.halving is not None
    arms = _arms(race)
    winner = None if race.winner is None else race.everyone.entries[race.winner]
    confirm = race.split.chosen().cases if race.split.seasons else []
    return {
        "race_id": race.race_id,
        "status": status,
        "created_ns": time.time_ns(),
        "finished_ns": None,
        "set": {
            "name": race.split.set_name,
            "digest": race.chosen.digest,
            "dev": len(race.chosen.cases),
            "confirm": len(confirm),
        },
        "metric": race.metric,
        "seed": race.digest[:16],
        "space": shape.space_shape(race.space, race.everyone),
        "plan": shape.plan_shape(
            race.everyone,
            race.halving,
            questions=len(race.chosen.cases) + len(confirm),
            confirm_calls=race.budget.confirm_calls,
            usd=race.budget.usd,
            seconds=None,
        ),
        "budget": {
            "calls": race.budget.used + race.budget.race_calls + race.budget.confirm_calls,
            "usd": race.budget_usd,
        },
        "spent": _spent(race),
        "tradeoff": race.space.tradeoff.model_dump(mode="json"),
        "pruned": race.pruned_by.as_json() if race.pruned_by else None,
        "rounds": shape.rounds_shape(_numbered(race)),
        "arms": arms,
        "effects": shape.effects_shape(race.halving),
        "prompts": race.prompts,
        "incumbent": race.everyone.incumbent,
        "winner": None
        if winner is None
        else {
            "number": winner.arm.number,
            "name": shape.title(winner.arm.levels),
            "levels": dict(winner.arm.levels),
        },
        "confirmation": race.confirmation,
        "command": [without_keys(word) for word in race.command],  # this is kept: no key may be in it
        "toml": "" if winner is None else _toml(race, winner),
        "notes": race.notes,
    }


def _spent(race: "Race") -> dict[str, Any]:
    assert race.halving is not None
    found = shape.spent_shape(race.halving, race.heats.runners)
    found["calls"] += race.budget.used + race.heats.done
    if race.confirmation is not None:
        found["calls"] += race.confirmation["calls"]
        found["usd"] += race.confirmation.get("cost_usd") or 0.0
    return found


def _numbered(race: "Race") -> list[tuple[Round, Sequence[int] | None]]:
    """The rounds with arms by their number in the field."""
    return [
        (
            Round(heat.number, tuple(race.numbers[arm] for arm in heat.arms), heat.first, heat.last),
            None if kept is None else [race.numbers[arm] for arm in kept],
        )
        for heat, kept in race.rounds
    ]


def _arms(race: "Race") -> list[dict[str, Any]]:
    assert race.halving is not None
    retrieval = race.pruned_by.scores if race.pruned_by else {}
    raced = Field(
        tuple(race.everyone.entries[number] for number in race.numbers),
        race.everyone.left_out,
        race.everyone.incumbent,
    )
    runners = [race.heats.runners[number] for number in race.numbers]
    rows = shape.arms_shape(raced, race.halving, runners, race.space.tradeoff)
    by_number = {number: row | {"number": number} for number, row in zip(race.numbers, rows, strict=True)}
    found = []
    for number, entry in enumerate(race.everyone.entries):
        row = by_number.get(number) or _unraced(entry, race.pruned_by)
        found.append(row | {"number": number, "retrieval": retrieval.get(number)})
    return found


def _toml(race: "Race", winner: Entry) -> str:
    heading = f"The winner of race {race.race_id[:8]} on {race.split.set_name}"
    if race.confirmation is not None:
        heading += f": {race.confirmation['verdict']}"
    if winner.contender.system is not None:
        return shape.system_toml(winner.contender.system, winner.contender.system_settings, heading=heading)
    return shape.toml_of(served_by(winner.in_force).changes, heading=heading)


def _unraced(entry: Entry, found: Pruned | None) -> dict[str, Any]:
    """An arm that no round asked."""
    unknown = dict.fromkeys(("mean", "score", "score_low", "score_high", "cost_usd", "latency_ms", "p95_ms", "utility"))
    return {
        "name": shape.title(entry.arm.levels),
        "levels": dict(entry.arm.levels),
        "is_in": False,
        "out_round": 0,
        "why": found.why(entry.arm.number) if found else "",
        **{"n": 0, "low": 0.0, "high": 1.0, "failed": 0, "unknown": 0, "on_frontier": False},
        **unknown,
    }

"""A race as its page, its terminal view and `--json` show it: one object, rewritten while it runs.

Scores lie in [0, 1], costs are per answer in dollars, latencies in milliseconds; None is what nobody knows.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from assay.app.race_arms import Field, sharing
from assay.app.race_heats import Runner, spent
from assay.decisions.race.frontier import frontier
from assay.decisions.race.halving import Halving, Round, Standing
from assay.decisions.race.space import Space, Tradeoff, named


def arms_shape(field: Field, halving: Halving, runners: Sequence[Runner], tradeoff: Tradeoff) -> list[dict[str, Any]]:
    """Every arm of the halving as it stands; `field` and `runners` are of those, in that order."""
    rows = []
    for standing in halving.standings():
        runner, entry = runners[standing.arm], field.entries[standing.arm]
        latency = runner.latency_ms()
        cost = runner.cost_usd()
        figures = _figures(standing)
        score = figures["score"]
        rows.append(
            {
                "number": standing.arm,
                "name": title(entry.arm.levels),
                "levels": dict(entry.arm.levels),
                "is_in": standing.is_in,
                "out_round": standing.out_round,
                "why": runner.problem or standing.why,
                **figures,
                "cost_usd": cost,
                "latency_ms": latency[0] if latency else None,
                "p95_ms": latency[1] if latency else None,
                "utility": None if score is None else utility(score, cost, latency and latency[1], tradeoff),
                "on_frontier": False,
            }
        )
    for number in frontier(rows):
        rows[number]["on_frontier"] = True
    return rows


def _figures(standing: Standing) -> dict[str, Any]:
    # The model predicts a score for an arm that always failed too; nobody has seen it score.
    is_seen = standing.n > standing.failed or standing.unknown > 0
    score = (standing.score, standing.score_low, standing.score_high) if is_seen else (None, None, None)
    return {
        "n": standing.n,
        "mean": standing.mean,
        "low": standing.low,
        "high": standing.high,
        "score": score[0],
        "score_low": score[1],
        "score_high": score[2],
        "failed": standing.failed,
        "unknown": standing.unknown,
    }


def utility(score: float, cost_usd: float | None, p95_ms: float | None, tradeoff: Tradeoff) -> float:
    """Quality less what it costs under the stated trade-off, in score units; 10 less, so behind all, beyond a limit.

    A cost that is not known counts as nothing.
    """
    worth = score
    if tradeoff.usd_per_point and cost_usd is not None:
        worth -= 0.01 * cost_usd / tradeoff.usd_per_point
    if tradeoff.ms_per_point and p95_ms is not None:
        worth -= 0.01 * p95_ms / tradeoff.ms_per_point
    too_dear = tradeoff.max_usd is not None and cost_usd is not None and cost_usd > tradeoff.max_usd
    too_slow = tradeoff.max_p95_ms is not None and p95_ms is not None and p95_ms > tradeoff.max_p95_ms
    return worth - 10.0 if too_dear or too_slow else worth


def rounds_shape(rounds: Sequence[tuple[Round, Sequence[int] | None]]) -> list[dict[str, Any]]:
    """Rounds begun, with who went on (None while it runs)."""
    return [
        {
            "number": heat.number,
            "arms": list(heat.arms),
            "first": heat.first,
            "last": heat.last,
            "kept": None if kept is None else list(kept),
        }
        for heat, kept in rounds
    ]


def effects_shape(halving: Halving) -> list[dict[str, Any]]:
    """What each level is worth beside the others of its factor."""
    return [
        {
            "factor": effect.factor,
            "level": _level(effect.level),
            "effect": effect.effect,
            "low": effect.low,
            "high": effect.high,
            "arms": effect.arms,
        }
        for effect in halving.effects()
        if effect.level is not None  # an incumbent from elsewhere has no level of this factor
    ]


def space_shape(space: Space, field: Field) -> dict[str, Any]:
    """The space as it was counted."""
    return {
        "factors": [{"name": factor.name, "levels": list(factor.levels)} for factor in space.factors],
        "base": dict(space.base),
        "system": space.system,
        "arms": len(field.entries),
        "left_out": [{"levels": dict(one.levels), "why": one.why} for one in field.left_out],
    }


def plan_shape(
    field: Field, halving: Halving, *, questions: int, confirm_calls: int, usd: Any, seconds: Any
) -> dict[str, Any]:
    """What the race will ask, said before a call is spent. `questions` are all that a grid would ask of each arm."""
    race_calls = sum(one.calls for one in halving.planned)
    return {
        "grid_calls": len(field.entries) * questions,
        "race_calls": race_calls,
        "confirm_calls": confirm_calls,
        "rounds": [
            {"number": one.number, "arms": one.arms, "items": one.items, "calls": one.calls} for one in halving.planned
        ],
        "sharing": sharing(field.entries, questions=max((one.items for one in halving.planned), default=0)),
        "usd": usd,
        "seconds": seconds,
    }


def spent_shape(halving: Halving, runners: Sequence[Runner]) -> dict[str, Any]:
    """What has been spent so far."""
    return {"calls": halving.calls, **spent(runners)}


def toml_of(changes: Mapping[str, Any], *, heading: str) -> str:
    """Settings as an assay.toml that is ready to serve."""
    tables: dict[str, list[str]] = {}
    for key, value in changes.items():
        section, _, name = key.partition(".")
        tables.setdefault(section, []).append(f"{name} = {_toml(value)}")
    lines = [f"# {line}" for line in heading.splitlines()]
    for section, rows in tables.items():
        lines += ["", f"[{section}]", *rows]
    return "\n".join(lines) + "\n"


def system_toml(target: str, settings: Mapping[str, Any], *, heading: str) -> str:
    """The file of a user's function with these settings; of another system, what to give it with `--with`."""
    lines = [f"# {line}" for line in heading.splitlines()]
    rows = [f"{key} = {_toml(value)}" for key, value in settings.items()]
    if ":" not in target or "://" in target or target.lower().endswith(".toml"):
        return "\n".join([*lines, f"# {target} with these settings:", "", *rows]) + "\n"
    table = ["[system]", 'kind = "callable"', f"target = {_toml(target)}", "", "[system.settings]"]
    return "\n".join([*lines, "", *table, *rows]) + "\n"


def title(levels: Mapping[str, Any]) -> str:
    """A design in words."""
    return named(levels) or "what serves"


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    # JSON's strings, numbers, true and false are TOML's.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _level(level: Any) -> Any:
    return level if isinstance(level, str | int | float | bool) or level is None else str(level)

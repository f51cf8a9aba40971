"""Views of races as the ledger keeps them, for tests of what shows them: real halvings over drawn scores."""

import hashlib
import itertools
import random
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from assay.app.race_shape import effects_shape, rounds_shape, toml_of
from assay.decisions.race.frontier import frontier
from assay.decisions.race.halving import Halving, Round, Standing
from assay.decisions.race.space import named

HOSTILE = "<img src=x onerror=document.title='owned'>\x1b[31m\u202e"
FACTORS: dict[str, list[Any]] = {
    "index.k": [4, 8, 12, 16],
    "answers.sentences": [1, 2, 3],
    "index.mode": ["hybrid", "lexical"],
    "documents.size": [128, 256],
}
WORTH = {("index.k", 12): 0.03, ("index.mode", "hybrid"): 0.08, ("answers.sentences", 2): 0.05,
         ("documents.size", 256): 0.02}  # fmt: skip
_DEV, _CONFIRM = 300, 240


def factors_of(arms: int) -> dict[str, list[Any]]:
    """Factors whose combinations are so many: 48, 300 or fewer."""
    if arms == 300:
        return {**FACTORS, "index.k": [4, 6, 8, 12, 16], "documents.size": [64, 96, 128, 192, 256],
                "answers.style": ["quote", "free"]}  # fmt: skip
    if arms == 48:
        return FACTORS
    return {"index.k": list(range(1, arms + 1))}


def race_view(
    arms: int = 48,
    *,
    status: str = "done",
    rounds: int | None = None,
    priced: bool = True,
    failing: Sequence[int] = (7,),
    unknown: Sequence[int] = (11,),
    incumbent: int | None = 0,
    verdict: str = "PROMOTE",
    changes: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A view as `Race.view` makes it. `rounds` stops it in that round, half of which is asked.

    Arms of `failing` fail always; of `unknown` every third score is not known.
    """
    factors, levels, halving, taken, standings = _raced(arms, tuple(failing), tuple(unknown), rounds)
    rows = [_arm(one, levels[one.arm], priced=priced) for one in standings]
    for place in frontier(rows):
        rows[place]["on_frontier"] = True
    winner = halving.winner if status == "done" else None
    race_calls = sum(one.calls for one in halving.planned)
    view = {
        "race_id": "5f0c1a2b" * 4,
        "status": status,
        "created_ns": 1_795_000_000_000_000_000,
        "finished_ns": 1_795_000_360_000_000_000 if status == "done" else None,
        "set": {"name": "xquad", "digest": "ab" * 32, "dev": _DEV, "confirm": _CONFIRM},
        "metric": "f1",
        "seed": "12ab34cd56ef7890",
        "space": {
            "factors": [{"name": name, "levels": found} for name, found in factors.items()],
            "arms": arms,
            "left_out": [],
        },
        "plan": {
            "grid_calls": arms * (_DEV + _CONFIRM),
            "race_calls": race_calls,
            "confirm_calls": 2 * _CONFIRM,
            "rounds": [
                {"number": one.number, "arms": one.arms, "items": one.items, "calls": one.calls}
                for one in halving.planned
            ],
            "sharing": [
                {"what": "cuts", "distinct": 2, "without": arms},
                {"what": "retrievals", "distinct": 4_800, "without": arms * _DEV},
                {"what": "answers", "distinct": arms * _DEV, "without": arms * _DEV},
            ],
            "usd": [1.2, 2.9] if priced else None,
            "seconds": [120.0, 400.0],
        },
        "budget": {"calls": race_calls + 2 * _CONFIRM, "usd": 5.0 if priced else None},
        "spent": {
            "calls": halving.calls,
            "usd": 1.7345 if priced else 0.0,
            "unpriced_calls": 0,
            "paid_calls": round(0.7 * halving.calls),
            "cached_calls": halving.calls - round(0.7 * halving.calls),
        },
        "tradeoff": {"usd_per_point": None, "ms_per_point": None, "max_usd": None, "max_p95_ms": None},
        "pruned": None,
        "rounds": rounds_shape(taken),
        "arms": rows,
        "effects": effects_shape(halving),
        "prompts": [],
        "incumbent": incumbent,
        "winner": None
        if winner is None
        else {"number": winner, "name": named(levels[winner]), "levels": levels[winner]},
        "confirmation": None,
        "command": ["race", "space.toml", "--budget-usd", "5"],
        "toml": "" if winner is None else toml_of(levels[winner], heading="The winner of race 5f0c1a2b on xquad"),
        "notes": [],
    }  # fmt: skip
    if winner is not None and incumbent is not None:
        _confirm(view, verdict)
    return {**view, **(changes or {})}


def with_prompts(view: dict[str, Any]) -> dict[str, Any]:
    """The view with a lineage of three prompts."""
    texts = ["Answer in one sentence.", f"Answer in one sentence, and name the {HOSTILE} year.", "Quote the sentence."]
    digests = [hashlib.sha256(text.encode()).hexdigest()[:16] for text in texts]
    parents = [None, digests[0], digests[1]]
    made = [
        {"digest": digest, "text": text, "parent": parent, "from_cases": ["case 7", HOSTILE][: 2 * number],
         "model": "openai:gpt-5-mini" if number else "", "generation": number}
        for number, (digest, text, parent) in enumerate(zip(digests, texts, parents, strict=True))
    ]  # fmt: skip
    return {**view, "prompts": made}


def hostile_view() -> dict[str, Any]:
    """Every text that comes from outside is markup that acts, and terminal sequences."""
    view = with_prompts(race_view())
    for arm in view["arms"]:
        arm["name"] = f"{HOSTILE} {arm['name']}"
        arm["levels"] = {f"{HOSTILE}.k": HOSTILE, **arm["levels"]}
        arm["why"] = f"{HOSTILE} {arm['why']}"
    for effect in view["effects"]:
        effect["level"] = HOSTILE
        effect["factor"] = f"{HOSTILE}.{effect['factor']}"
    view["set"]["name"] = view["metric"] = HOSTILE
    view["space"]["left_out"] = [{"levels": {HOSTILE: HOSTILE}, "why": HOSTILE}]
    view["winner"]["levels"] = {HOSTILE: HOSTILE}
    view["winner"]["name"] = HOSTILE
    view["notes"] = [HOSTILE]
    view["toml"] = view["command"][1] = HOSTILE
    view["pruned"] = {"metric": HOSTILE, "questions": 80, "kept": 40, "out": 8, "seconds": 1.5}
    view["plan"]["sharing"].append({"what": HOSTILE, "distinct": 1, "without": 2})
    return view


@cache
def _raced(
    arms: int, failing: tuple[int, ...], unknown: tuple[int, ...], stop: int | None
) -> tuple[
    dict[str, list[Any]],
    list[dict[str, Any]],
    Halving,
    list[tuple[Round, Sequence[int] | None]],
    list[Standing],
]:
    """Factors, levels by arm, and the race as far as it went. Kept, since a race of 300 arms takes a second."""
    factors = factors_of(arms)
    levels = [dict(zip(factors, chosen, strict=True)) for chosen in itertools.product(*factors.values())]
    halving = Halving(levels, arms, items=_DEV, calls=max(arms * 34, 300))
    draw = random.Random(5)
    hard = [draw.gauss(0, 0.25) for _ in range(_DEV)]
    taken: list[tuple[Round, Sequence[int] | None]] = []
    while (heat := halving.next()) is not None:
        until = (heat.first + heat.last + 1) // 2 if stop == heat.number else heat.last
        for item in range(heat.first, until):
            for arm in heat.arms:
                worth = sum(WORTH.get(pair, 0.0) for pair in levels[arm].items())
                score = min(1.0, max(0.0, 0.45 + worth + hard[item] + draw.gauss(0, 0.15)))
                if arm in failing:
                    halving.add(arm, item, 0.0, failed=True)
                else:
                    halving.add(arm, item, None if arm in unknown and item % 3 == 0 else score)
        if stop == heat.number:
            taken.append((heat, None))
            break
        taken.append((heat, halving.close().kept))
    return factors, levels, halving, taken, halving.standings()


def _arm(one: Standing, levels: Mapping[str, Any], *, priced: bool) -> dict[str, Any]:
    answers = one.failed < one.n or not one.n
    k, long = levels.get("index.k", 4), levels.get("answers.sentences", 1)
    latency = 40 + 11 * k + 60 * long + (25 if levels.get("index.mode") == "hybrid" else 0)
    return {
        "number": one.arm,
        "name": named(levels),
        "levels": dict(levels),
        "is_in": one.is_in,
        "out_round": one.out_round,
        "why": one.why,
        "n": one.n,
        "mean": one.mean,
        "low": one.low,
        "high": one.high,
        "score": one.score,
        "score_low": one.score_low,
        "score_high": one.score_high,
        "failed": one.failed,
        "unknown": one.unknown,
        "cost_usd": (0.0002 * k + 0.0004 * long if answers else None) if priced else 0.0,
        "latency_ms": float(latency) if answers else None,
        "p95_ms": 1.8 * latency if answers else None,
        "utility": one.score,
        "on_frontier": False,
        "retrieval": None,
    }


def _confirm(view: dict[str, Any], verdict: str) -> None:
    winner, incumbent = view["arms"][view["winner"]["number"]], view["arms"][view["incumbent"]]
    low, high = {"PROMOTE": (0.0123, 0.1187), "UNDECIDED": (-0.0214, 0.0853)}.get(verdict, (-0.0411, 0.0489))
    if winner is incumbent:
        low, high, verdict = 0.0, 0.0, "NOT_BETTER"
    scores = [winner["score"], incumbent["score"]]
    view["confirmation"] = {
        "decision_id": None if winner is incumbent else "c0ffee12" * 4,
        "verdict": verdict,
        "promotable": verdict == "PROMOTE",
        "race_score": None if None in scores else scores[0] - scores[1],
        "value": (low + high) / 2,
        "low": low,
        "high": high,
        "n": _CONFIRM,
        "cost_usd": 0.41,
    }
    view["spent"]["calls"] += 2 * _CONFIRM

"""Result files of promptfoo (`promptfoo eval -o results.json`, summary versions 2 and 3) as scores.

Each row gives `score`, `pass` and its named scores. A prompt with a provider is a system; a file with several needs one
named. A test is called by the `id` in its metadata or vars, else by its number, and tests with the same vars are one
cluster. `failureReason` 2 is a failed answer; a failed assertion is a score like any other.
"""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.errors import BadInput
from assay.evals.faults import shortened
from assay.evals.foreign_score import ForeignScore
from assay.evals.importers import json_file

_ERROR = 2  # promptfoo's ResultFailureReason.ERROR
_AGAIN = "Write the file again: promptfoo eval -o results.json"


def read_promptfoo(path: Path, *, system: str | None = None) -> list[ForeignScore]:
    """Every score of a file, of one `system` where it has several. Raises BadInput naming the row or the systems."""
    shape = json_file(path, what="results of promptfoo")
    summary = shape.get("results")
    rows = summary.get("results") if isinstance(summary, dict) else summary
    if not isinstance(rows, list):
        raise BadInput(f"{path} holds no results.", hint=_AGAIN)
    for number, row in enumerate(rows, start=1):
        _check(path, row, number)
    chosen = _of_system(path, rows, system)
    clusters = Counter(_vars_of(row) for _number, row in chosen)
    seen: Counter[str] = Counter()
    return [score for number, row in chosen for score in _of_row(path, row, number, clusters=clusters, seen=seen)]


def _check(path: Path, row: Any, number: int) -> None:
    where = f"{path}: result {number}"
    if not isinstance(row, dict):
        raise BadInput(f"{where} is no object.", hint=_AGAIN)
    score = row.get("score")
    if isinstance(score, bool) or not isinstance(score, int | float) or math.isnan(score):
        raise BadInput(f'{where} has "score": {shortened(json.dumps(score))}.', hint=_AGAIN)
    if not isinstance(row.get("success"), bool):
        raise BadInput(f'{where} does not say "success": true or false.', hint=_AGAIN)


def _of_system(
    path: Path, rows: Sequence[Mapping[str, Any]], system: str | None
) -> list[tuple[int, Mapping[str, Any]]]:
    names = [_system_of(row) for row in rows]
    known = list(dict.fromkeys(names))
    if system is None and len(known) > 1:
        raise BadInput(
            f"{path} holds {len(known)} systems.",
            hint=f"Name one: {'; '.join(shortened(name) for name in known[:8])}.",
        )
    wanted = [name for name in known if system is None or name == system or name.startswith(system)]
    if len(wanted) > 1 and system in wanted:
        wanted = [system]
    if len(wanted) != 1 and known:
        what = "no system" if not wanted else f"{len(wanted)} systems"
        raise BadInput(
            f"{path} holds {what} called {system}.", hint=f"Name one: {'; '.join(map(shortened, known[:8]))}."
        )
    return [(number, row) for number, (name, row) in enumerate(zip(names, rows, strict=True), 1) if name in wanted]


def _system_of(row: Mapping[str, Any]) -> str:
    """`provider: prompt`, by their labels."""
    provider, prompt = row.get("provider"), row.get("prompt")
    if isinstance(provider, Mapping):
        provider = provider.get("label") or provider.get("id")
    if isinstance(prompt, Mapping):
        prompt = prompt.get("label") or prompt.get("raw")
    return ": ".join(str(part) for part in (provider, prompt) if part) or "system"


def _of_row(
    path: Path, row: Mapping[str, Any], number: int, *, clusters: Mapping[str, int], seen: Counter[str]
) -> Iterator[ForeignScore]:
    case, known = _case_of(row, number), _vars_of(row)
    replica = seen[case]
    seen[case] += 1
    cluster = known if clusters[known] > 1 else ""
    cost, latency = (_amount(row.get(name)) for name in ("cost", "latencyMs"))
    if _failed(row):
        said = shortened(str(row.get("error") or "failed"))
        yield ForeignScore(case, None, "score", replica, cluster, cost_usd=cost, latency_ms=latency, error=said)
        return
    named = row.get("namedScores") or {}
    if not isinstance(named, dict):
        raise BadInput(f"{path}: result {number} has named scores that are no object.", hint=_AGAIN)
    values = {"score": row["score"], "pass": float(row["success"]), **named}
    for metric, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadInput(
                f"{path}: result {number} has {shortened(metric)}: {shortened(json.dumps(value))}.", hint=_AGAIN
            )
        score = None if math.isnan(value) else float(value)
        yield ForeignScore(case, score, metric, replica, cluster, cost_usd=cost, latency_ms=latency)


def _failed(row: Mapping[str, Any]) -> bool:
    reason = row.get("failureReason")
    if reason is not None:
        return bool(reason == _ERROR)
    # Older files: an error that no assertion stands behind.
    return bool(row.get("error")) and not row.get("gradingResult")


def _case_of(row: Mapping[str, Any], number: int) -> str:
    test = row.get("testCase") if isinstance(row.get("testCase"), Mapping) else {}
    assert isinstance(test, Mapping)
    for place in (row.get("metadata"), test.get("metadata"), row.get("vars"), test.get("vars")):
        if isinstance(place, Mapping) and isinstance(place.get("id"), str | int):
            return str(place["id"])
    index = row.get("testIdx")
    return f"test {index}" if isinstance(index, int) else f"result {number}"


def _vars_of(row: Mapping[str, Any]) -> str:
    known = json.dumps(row.get("vars") or {}, sort_keys=True)
    return hashlib.sha256(known.encode()).hexdigest()[:12]


def _amount(value: Any) -> float | None:
    there = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")
    return float(value) if there else None

"""Scores from elsewhere: JSONL lines of any tool, logs of inspect_ai, result files of promptfoo.

A file is read wholly or refused, naming the line, sample or test and what to do. Proved by
`tests/unit/evals/test_importers.py` on files the tools wrote.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from assay.errors import BadInput
from assay.evals.faults import Faults, TooMany, shortened
from assay.evals.foreign_score import DEFAULT_METRIC, ForeignScore
from assay.evals.lines import json_objects, open_regular

Format = Literal["jsonl", "inspect_ai", "promptfoo"]

LARGEST_JSON_BYTES = 1 << 30
_FIELDS = ("case", "score", "metric", "cluster", "cost_usd", "latency_ms", "error")
_EXAMPLE = '{"case": "q1", "score": 0.8}'


def import_scores(path: Path, *, format: Format | None = None, system: str | None = None) -> list[ForeignScore]:  # noqa: A002
    """Every score of a file; its `format` is found by its name and content where it is not given.

    `system` chooses among several prompts and providers in one promptfoo file. Raises NotFound, Unreadable, BadInput,
    or MissingExtra.
    """
    found = format or _format_of(path)
    if found == "jsonl":
        scores = _read_lines(path)
    elif found == "inspect_ai":
        from assay.evals.inspect_logs import read_inspect_log

        scores = read_inspect_log(path)
    else:
        from assay.evals.promptfoo_results import read_promptfoo

        scores = read_promptfoo(path, system=system)
    if not scores:
        raise BadInput(f"{path} holds no scores.", hint=f"Write lines such as {_EXAMPLE}.")
    return scores


def json_file(path: Path, *, what: str) -> Mapping[str, Any]:
    """The object in a JSON file. Raises NotFound, Unreadable or BadInput."""
    with open_regular(path, what=what) as file:
        raw = file.read(LARGEST_JSON_BYTES + 1)
    if len(raw) > LARGEST_JSON_BYTES:
        raise BadInput(f"{path} is larger than 1 GB.", hint="Export fewer results at once.")
    return json_object(raw, f"{path}")


def json_object(raw: bytes, where: str) -> Mapping[str, Any]:
    """The object in `raw`; NaN and infinities are as these tools write them. Raises BadInput naming `where`."""
    try:
        value = json.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise BadInput(f"{where} is not UTF-8 text.", hint="Export it again as UTF-8.") from None
    except json.JSONDecodeError as error:
        raise BadInput(
            f"{where} is not JSON: {error.msg}, line {error.lineno}.", hint="Export it again; it may be cut off."
        ) from None
    except (ValueError, RecursionError):
        raise BadInput(f"{where} is not JSON we can read.", hint="Export it again.") from None
    if not isinstance(value, dict):
        raise BadInput(f"{where} holds no JSON object.", hint="Give the file as the tool wrote it.")
    return value


def _format_of(path: Path) -> Format:
    suffix = path.suffix.lower()
    if suffix in (".jsonl", ".ndjson"):
        return "jsonl"
    with open_regular(path, what="a file of scores") as file:
        start = file.read(4096)
    if suffix == ".eval" or start.startswith(b"PK\x03\x04"):
        return "inspect_ai"
    if suffix == ".json":
        shape = json_file(path, what="a file of scores")
        if "eval" in shape and ("samples" in shape or "plan" in shape):
            return "inspect_ai"
        if isinstance(shape.get("results"), dict | list):
            return "promptfoo"
        keys = ", ".join(list(shape)[:6]) or "none"
        raise BadInput(
            f"{path} is neither a log of inspect_ai nor results of promptfoo (its keys: {shortened(keys)}).",
            hint=f"Write JSONL lines such as {_EXAMPLE}.",
        )
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return "jsonl"
    raise BadInput(
        f"{path} is no file of scores.", hint="Give JSONL, a .eval or .json log of inspect_ai, or promptfoo's."
    )


def _read_lines(path: Path) -> list[ForeignScore]:
    faults = Faults(str(path), example=_EXAMPLE)
    scores: list[ForeignScore] = []
    with open_regular(path, what="a file of scores") as file:
        try:
            for number, line in json_objects(file, faults):
                score = _line_score(line, number, faults)
                if score is not None and not faults.found:
                    scores.append(score)
        except TooMany:
            pass
    faults.check("file of scores")
    return list(_numbered(scores))


def _numbered(scores: list[ForeignScore]) -> Iterator[ForeignScore]:
    """A case that comes again under the same metric is another answer to it."""
    seen: dict[tuple[str, str], int] = {}
    for score in scores:
        key = (score.case, score.metric)
        seen[key] = seen.get(key, -1) + 1
        yield replace(score, replica=seen[key]) if seen[key] else score


def _line_score(line: Mapping[str, Any], number: int, faults: Faults) -> ForeignScore | None:
    before = len(faults.found)
    error = _text(line, "error", number, faults)
    if "case" not in line:
        faults.add(number, f'has no "case" (its keys: {shortened(", ".join(line))})', f"Write it as in {_EXAMPLE}.")
    if "score" not in line and not error:
        faults.add(number, f'has no "score" (its keys: {shortened(", ".join(line))})', f"Write it as in {_EXAMPLE}.")
    found = ForeignScore(
        case=_text(line, "case", number, faults),
        score=_score(line.get("score"), number, faults),
        metric=_text(line, "metric", number, faults) or DEFAULT_METRIC,
        cluster=_text(line, "cluster", number, faults),
        cost_usd=_amount(line, "cost_usd", number, faults),
        latency_ms=_amount(line, "latency_ms", number, faults),
        error=error,
    )
    return None if len(faults.found) > before else found


def _score(value: Any, number: int, faults: Faults) -> float | None:
    if value is None or isinstance(value, bool):
        return None if value is None else float(value)
    if isinstance(value, int | float) and abs(value) < 1e100:
        return float(value)
    faults.add(number, f'has "score": {shortened(json.dumps(value))}', "Write a number, true, false, or null (failed).")
    return None


def _text(line: Mapping[str, Any], name: str, number: int, faults: Faults) -> str:
    value = line.get(name)
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    faults.add(number, f'has "{name}": {shortened(json.dumps(value))}', f'Write "{name}" as text.')
    return ""


def _amount(line: Mapping[str, Any], name: str, number: int, faults: Faults) -> float | None:
    value = line.get(name)
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0:
        return float(value)
    faults.add(number, f'has "{name}": {shortened(json.dumps(value))}', f'Write "{name}" as zero or more, or null.')
    return None

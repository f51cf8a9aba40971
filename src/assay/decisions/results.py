"""Result files of any tool: one JSON object per line with a case, a score and what it cost.

Invariant: a file is read wholly or refused with its name, the line and what to do; no line is skipped but blank ones,
and what may never end (a device, a named pipe, a line of a megabyte) is refused, not waited for. Proved on every kind
of bad file in `tests/unit/decisions/test_result_files.py`.
"""

import json
import math
import stat
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, NoReturn

from assay.errors import BadInput, NotFound, Unreadable

STDIN = Path("-")
"""Read from standard input."""

LONGEST_LINE = 1_000_000
"""Bytes."""

LARGEST_SCORE = 1e100  # squares of differences must stay finite
_EXAMPLE = '{"case": "q1", "score": 0.8}'
_ONE_OBJECT = f"Write one JSON object per line, such as {_EXAMPLE}"


class Scored(NamedTuple):
    """One case measured once. `score` None, NaN or infinite: the case failed. `cluster` None: it stands alone.

    `cost_usd` and `latency_ms` are None where unknown, else finite and not negative.
    """

    case: str
    score: float | None
    cluster: str | None = None
    cost_usd: float | None = None
    latency_ms: float | None = None


class _RepeatedKey(Exception):
    def __init__(self, key: str) -> None:
        self.key = key


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        keys = [key for key, _ in pairs]
        raise _RepeatedKey(next(key for key in keys if keys.count(key) > 1))
    return made


_DECODER = json.JSONDecoder(object_pairs_hook=_once_each)


def read_results(path: Path, *, metric: str | None = None) -> list[Scored]:
    """Every line of a JSONL result file, or of standard input for `STDIN`.

    With `metric`, lines that say they are of another "metric" are left out. Raises NotFound, Unreadable or BadInput
    naming file, line and remedy.
    """
    try:
        if path == STDIN and sys.stdin is not None:
            path = Path("stdin")
            scored = list(_rows(path, sys.stdin.buffer, metric))
        else:
            _check_kind(path)
            with path.open("rb") as file:
                scored = list(_rows(path, file, metric))
    except FileNotFoundError:
        raise NotFound(f"There is no file {path}.", hint="Check the path; both result files must exist.") from None
    except IsADirectoryError:
        raise BadInput(f"{path} is a folder, not a result file.", hint="Name the .jsonl file inside it.") from None
    except OSError as error:
        raise Unreadable(
            f"{path} cannot be read: {error.strerror or error}.", hint="Check the file's permissions."
        ) from None
    if not scored:
        raise BadInput(f"{path} holds no results.", hint=_ONE_OBJECT)
    return scored


def _check_kind(path: Path) -> None:
    """Raise BadInput for what may never end. The pipe a shell hands over for `<(command)` ends with its command."""
    mode = path.stat().st_mode
    from_shell = stat.S_ISFIFO(mode) and path.parent == Path("/dev/fd")
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or from_shell):
        raise BadInput(f"{path} is not a regular file.", hint="Name a file, or - to read standard input.")


def _rows(path: Path, file: BinaryIO, metric: str | None) -> Iterator[Scored]:
    others: dict[str, None] = {}
    is_there = False
    # Case names repeat between the files and clusters within them; numbers are checked line by line.
    for number, raw in enumerate(iter(partial(file.readline, LONGEST_LINE + 1), b""), 1):
        if len(raw) > LONGEST_LINE:
            _refuse(path, number, f"is longer than {LONGEST_LINE:,} bytes: {_shortened(raw)}", _ONE_OBJECT)
        line = raw.strip()
        if number == 1:
            line = _without_mark(path, line)
        if not line:
            continue
        record = _record(path, number, line)
        if metric is not None and (named := record.get("metric", metric)) != metric:
            others[_shortened(str(named))] = None
            continue
        is_there = True
        yield _scored(path, number, record)
    if others and not is_there:
        raise BadInput(f"{path} has no metric {metric}.", hint=f"Use one of: {', '.join(others)}.")


def _without_mark(path: Path, line: bytes) -> bytes:
    if line.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise BadInput(f"{path} is UTF-16 text.", hint="Save it as UTF-8.")
    return line.removeprefix(b"\xef\xbb\xbf")


def _scored(path: Path, number: int, record: dict[str, Any]) -> Scored:
    case, score, cluster = record.get("case"), record.get("score"), record.get("cluster")
    cost, latency = record.get("cost_usd"), record.get("latency_ms")
    # The common line first: 200,000 of these decide whether a comparison takes one second or three.
    if type(case) is not str:
        case = _label(path, number, record, "case")
    if type(score) is not float or not -LARGEST_SCORE <= score <= LARGEST_SCORE:
        score = _score(path, number, record)
    if cluster is not None and type(cluster) is not str:
        cluster = _label(path, number, record, "cluster")
    if cost is not None and not (type(cost) is float and 0 <= cost < LARGEST_SCORE):
        cost = _amount(path, number, "cost_usd", cost)
    if latency is not None and not (type(latency) is float and 0 <= latency < LARGEST_SCORE):
        latency = _amount(path, number, "latency_ms", latency)
    return Scored(case, score, cluster, cost, latency)


def _record(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        text = line.decode("utf-8")
        # Half the time of json.loads, which looks for white space that strip() has taken away.
        record, end = _DECODER.raw_decode(text)
    except UnicodeDecodeError:
        raise BadInput(f"{path}:{number} is not UTF-8 text.", hint="Save the file as UTF-8.") from None
    except json.JSONDecodeError as error:
        problem = f"is not JSON ({error.msg}, column {error.colno}): {_shortened(line)}"
        _refuse(path, number, problem, _hint(number, line))
    except _RepeatedKey as error:
        _refuse(path, number, f'has "{_shortened(error.key)}" more than once', "Write each key once.")
    except (ValueError, RecursionError):
        # Numbers of thousands of digits, or brackets nested without end.
        _refuse(path, number, f"is not JSON we can read: {_shortened(line)}", _ONE_OBJECT)
    if end != len(text):
        _refuse(path, number, f"has more than one JSON value: {_shortened(line)}", _ONE_OBJECT)
    if not isinstance(record, dict):
        _refuse(path, number, f"is not a JSON object: {_shortened(line)}", _hint(number, line))
    return record


def _hint(number: int, line: bytes) -> str:
    # The commonest other shape: everything as one array.
    return "Write one JSON object per line; jq -c '.[]' does it." if number == 1 and line[:1] == b"[" else _ONE_OBJECT


def _label(path: Path, number: int, record: dict[str, Any], key: str) -> str:
    """A name as text: numbers are taken as written, so 7 in one file is "7" in the other."""
    value = record.get(key)
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if key not in record:
        _missing(path, number, record, key)
    _refuse(path, number, f'has "{key}": {_shortened(json.dumps(value))}', f'Write "{key}" as text or a number.')


def _score(path: Path, number: int, record: dict[str, Any]) -> float | None:
    if "score" not in record:
        _missing(path, number, record, "score")
    value = record["score"]
    if value is None:
        return None
    if not isinstance(value, int | float):
        hint = 'Write "score" as a number, true, false, or null for a case that failed.'
        _refuse(path, number, f'has "score": {_shortened(json.dumps(value))}', hint)
    try:
        score = float(value)
    except OverflowError:
        score = math.inf
    if not math.isfinite(score):
        if isinstance(value, float):
            return None
        _too_large(path, number)
    if abs(score) > LARGEST_SCORE:
        _too_large(path, number)
    return score


def _amount(path: Path, number: int, key: str, value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        _refuse(path, number, f'has "{key}": {_shortened(json.dumps(value))}', f'Write "{key}" as a number or null.')
    if value < 0:
        _refuse(path, number, f'has a negative "{key}": {value}', f'Write "{key}" as zero or more, or null if unknown.')
    # Not comparable with a float: an integer of hundreds of digits is no amount either.
    return float(value) if value < LARGEST_SCORE else None


def _missing(path: Path, number: int, record: dict[str, Any], key: str) -> NoReturn:
    keys = ", ".join(sorted(record)[:8]) or "none"
    hint = f'Each line needs "case" and "score"; rename yours, as in {_EXAMPLE}'
    _refuse(path, number, f'has no "{key}" (its keys: {_shortened(keys)})', hint)


def _too_large(path: Path, number: int) -> NoReturn:
    _refuse(path, number, 'has a "score" beyond 1e100', "Use a smaller unit.")


def _refuse(path: Path, number: int, what: str, hint: str) -> NoReturn:
    raise BadInput(f"{path}:{number} {what}", hint=hint)


def _shortened(text: str | bytes) -> str:
    shown = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    clean = "".join(char if char.isprintable() else "�" for char in shown[:60])
    return clean if len(shown) <= 60 else clean[:57] + "..."

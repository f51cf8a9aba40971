"""The lines of a file and the JSON objects on them, one at a time, with everything a bad file can hold told apart.

Invariant: memory is that of the longest line, which is limited; a line is an object or a fault, never skipped but
where it is blank. Proved on every kind of bad file in `tests/unit/evals/test_read_cases.py`.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from assay.errors import BadInput, NotFound, Unreadable
from assay.evals.faults import Faults, TooMany, shortened

LONGEST_LINE = 4 * 1024 * 1024
"""Bytes of one line. A case quotes evidence, it does not carry documents."""


class Refused(ValueError):
    """A value that JSON readers differ on: a repeated key, NaN, half a character."""


def open_regular(path: Path, *, what: str) -> BinaryIO:
    """The file, opened for reading bytes. Raises NotFound, BadInput for what is no regular file, Unreadable."""
    try:
        if path.is_dir():
            raise BadInput(f"{path} is a folder, not {what}.", hint="Name the file inside it.")
        # A pipe or a device could give lines without end and block for ever.
        if path.exists() and not path.is_file():
            raise BadInput(f"{path} is not a regular file.", hint="Save it as a file first.")
        return path.open("rb")
    except FileNotFoundError:
        raise NotFound(f"There is no file {path}.", hint="Check the path.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Unreadable(f"{path} cannot be read: {reason}.", hint="Check the file's permissions.") from None


def json_objects(file: BinaryIO, faults: Faults) -> Iterator[tuple[int, dict[str, Any]]]:
    """The number and object of each line that is not blank; any other line is a fault. Raises TooMany to end early."""
    for number, text in text_lines(file, faults):
        if text.strip():
            found = _object(text.rstrip(), number, faults)
            if found is not None:
                yield number, found


def text_lines(file: BinaryIO, faults: Faults) -> Iterator[tuple[int, str]]:
    """Each line with its number and its end, without a byte order mark; one that is not UTF-8 is a fault and blank.

    Raises TooMany where the rest cannot be read: a line without end, another encoding.
    """
    offset = 0
    for number, raw in enumerate(iter(lambda: file.readline(LONGEST_LINE + 1), b""), start=1):
        if len(raw) > LONGEST_LINE and not raw.endswith(b"\n"):
            faults.add(number, f"is longer than {LONGEST_LINE // 1024 // 1024} MiB", "Check that lines end.")
            raise TooMany  # whatever follows is in the middle of a line
        if number == 1 and raw.startswith((b"\xff\xfe", b"\xfe\xff")):
            faults.add(1, "is UTF-16 text", "Save the file as UTF-8.")
            raise TooMany
        line = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
        try:
            yield number, line.decode("utf-8")
        except UnicodeDecodeError as error:
            place = offset + len(raw) - len(line) + error.start
            what = f"is not UTF-8 text at byte {place:,} of the file (0x{line[error.start]:02x})"
            faults.add(number, what, "Save the file as UTF-8.")
            yield number, "\n"  # readers of records count the lines they see
        offset += len(raw)


def _object(text: str, number: int, faults: Faults) -> dict[str, Any] | None:
    one_object = f"Write one JSON object per line, such as {faults.example}."
    try:
        found = json.loads(text, object_pairs_hook=_object_of, parse_constant=_constant)
    except json.JSONDecodeError as error:
        hint = "Write one JSON object per line; jq -c '.[]' does it." if text.lstrip()[:1] == "[" else one_object
        faults.add(number, f"is not JSON ({error.msg}, column {error.colno}): {shortened(text)}", hint)
        return None
    except Refused as error:
        faults.add(number, str(error), "Write each key once, and numbers as numbers.")
        return None
    except (ValueError, RecursionError):
        faults.add(number, f"is not JSON we can read: {shortened(text)}", one_object)
        return None
    if not isinstance(found, dict):
        hint = "Write one JSON object per line; jq -c '.[]' does it." if isinstance(found, list) else one_object
        faults.add(number, f"is not a JSON object: {shortened(text)}", hint)
        return None
    if "\\u" in text and _has_surrogate(found):
        faults.add(number, "has half a character (a lone surrogate, \\ud800 to \\udfff)", "Write it as UTF-8.")
        return None
    return found


def _object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Refused(f'has "{shortened(twice)}" twice')
    return found


def _constant(name: str) -> Any:
    raise Refused(f"has {name}, which is not JSON")


def _has_surrogate(value: Any) -> bool:
    if isinstance(value, str):
        return any("\ud800" <= char <= "\udfff" for char in value)
    if isinstance(value, Mapping):
        return any(_has_surrogate(part) for pair in value.items() for part in pair)
    return isinstance(value, list) and any(_has_surrogate(part) for part in value)

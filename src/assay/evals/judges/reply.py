"""What a judge replied, read: JSON in any wrapping, or one line that says why it cannot be used. Never a guess.

A reply is untrusted and may be prose, a refusal, megabytes, NaN or nested a million deep. Where several objects stand
in it the last counts: what a judge quotes from the text it judges comes before its own verdict. Proved by
`tests/unit/evals/judges/test_reply.py`, and against ragas and deepeval in `tests/oracles/test_judges.py`.
"""

import json
import re
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

Form = TypeVar("Form", bound=BaseModel)

LONGEST_REPLY = 131_072
"""Characters of a reply that are read; a longer one is refused unread."""

_MOST_FALSE_STARTS = 500
_SHOWN_CHARACTERS = 80
_TRAILING_COMMA = re.compile(r",\s*([\]}])")


class Unusable(Exception):
    """No score can be read from what the judge gave. The message is one line without control characters.

    `again` says whether asking once more may help.
    """

    def __init__(self, reason: str, *, again: bool = True) -> None:
        super().__init__(one_line(reason))
        self.again = again


def one_line(text: str, *, most: int = 300) -> str:
    """The text on one line, without control characters (ANSI escapes do nothing), cut to `most` characters."""
    plain = "".join(c if c.isprintable() else " " for c in text[: 4 * most])
    line = " ".join(plain.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def form_in(text: str, form: type[Form]) -> Form:
    """The last JSON object in `text`, as `form`. Raises `Unusable`."""
    found = _last_object(text)
    if found is None:
        raise Unusable(f"The judge's reply holds no JSON object: {_shown(text)}.")
    try:
        return form.model_validate_json(found)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the reply"
        raise Unusable(f"The judge's reply has {where} wrong ({first['msg']}): {_shown(found)}.") from None


def widest_object(text: str) -> dict[str, Any]:
    """The JSON object from the first opening to the last closing brace; a comma before a closing bracket is forgiven.

    Raises `Unusable`.
    """
    _check_length(text)
    start, end = text.find("{"), text.rfind("}") + 1
    inner = "" if start < 0 else f"{text[start:]}}}" if end == 0 else text[start:end]
    for candidate in (inner, _TRAILING_COMMA.sub(r"\1", inner)):
        try:
            value = json.loads(candidate)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            return value
    raise Unusable(f"The judge's reply holds no JSON object: {_shown(text)}.")


def _last_object(text: str) -> str | None:
    """The text of the last JSON object that is not inside another value."""
    _check_length(text)
    decoder = json.JSONDecoder()
    found, at, false_starts = None, 0, 0
    while (start := _next_start(text, at)) >= 0 and false_starts < _MOST_FALSE_STARTS:
        try:
            value, at = decoder.raw_decode(text, start)
        except json.JSONDecodeError:
            at, false_starts = start + 1, false_starts + 1
            continue
        except RecursionError:
            raise Unusable("The judge's reply is nested too deeply to be read.", again=False) from None
        if isinstance(value, dict):
            found = text[start:at]
    return found


def _next_start(text: str, at: int) -> int:
    starts = [place for place in (text.find("{", at), text.find("[", at)) if place >= 0]
    return min(starts, default=-1)


def _check_length(text: str) -> None:
    if len(text) > LONGEST_REPLY:
        raise Unusable(
            f"The judge's reply has {len(text):,} characters; more than {LONGEST_REPLY:,} are not read.", again=False
        )


def _shown(text: str) -> str:
    line = one_line(text, most=_SHOWN_CHARACTERS)
    return f"“{line}”" if line else "it is empty"

"""Where a part stands in a JSON reply: `answer.text` or `choices[0].message.content`.

`$` is the whole reply, and a `?` at the end says that the part may be absent. A key that holds dots or brackets is
written in double quotes: `meta."doc.id"`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.errors import BadSetting, Garbled

_STEP = re.compile(r'"([^"]+)"|\[(-?\d+)\]|([^.\[\]"]+)')
_WHOLE = "$"


@dataclass(frozen=True, slots=True)
class Path:
    """A checked path; `text` is how it was written, `key` the setting it came from."""

    text: str
    key: str
    steps: tuple[str | int, ...]
    optional: bool

    def __call__(self, reply: Any, *, who: str, inside: str = "") -> Any:
        """The value there; None where it is null, or absent and optional. Raises Garbled where it is absent."""
        value = reply
        for number, step in enumerate(self.steps):
            found = _child(value, step)
            if found is _ABSENT:
                if self.optional:
                    return None
                raise Garbled(
                    f"{who}: the reply has no {inside}{self.text}; {_present(value, self.steps[:number])}.",
                    hint=f"Correct {self.key}, or write {self.text}? if it may be absent.",
                )
            value = found
        return value


def path_of(text: str, *, key: str) -> Path:
    """`text` as a path. Raises BadSetting naming the setting `key` where it is none."""
    body = text.removesuffix("?").strip()
    body = body.removeprefix(_WHOLE).removeprefix(".")
    steps: list[str | int] = []
    at = 0
    while at < len(body):
        found = _STEP.match(body, at)
        if found is None:
            raise BadSetting(f"{key} = {text!r} is no path.", hint="Write it as answer.text or results[0].body.")
        quoted, index, name = found.groups()
        steps.append(int(index) if index is not None else quoted or name)
        at = found.end()
        if at < len(body) and body[at] == ".":
            at += 1
            if at == len(body):
                raise BadSetting(f"{key} = {text!r} ends with a dot.", hint="Write it as answer.text.")
    return Path(text.removesuffix("?"), key, tuple(steps), text.endswith("?"))


class _Absent:
    pass


_ABSENT = _Absent()


def _child(value: Any, step: str | int) -> Any:
    if isinstance(step, int):
        if isinstance(value, list) and -len(value) <= step < len(value):
            return value[step]
        return _ABSENT
    return value.get(step, _ABSENT) if isinstance(value, Mapping) else _ABSENT


def _present(value: Any, steps: tuple[str | int, ...]) -> str:
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".") or "it"
    if isinstance(value, Mapping):
        return f"{place} has {', '.join(str(key) for key in list(value)[:8]) or 'no keys'}"
    if isinstance(value, list):
        return f"{place} is a list of {len(value)}"
    return f"{place} is {'null' if value is None else type(value).__name__}"

"""What is wrong with a file, line by line: collected, so a user mends a file once and not twenty times.

Invariant: a file with one fault imports nothing. Twenty faults are named; reading goes no further than that.
"""

from dataclasses import dataclass, field
from typing import NoReturn

from assay.errors import BadInput

MOST_FAULTS = 20
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Fault:
    """`what` is wrong on `line` (1-based), and what to do (`hint`, one imperative sentence)."""

    line: int
    what: str
    hint: str


class TooMany(Exception):
    """Enough faults were found; reading on would tell nothing more."""


@dataclass(slots=True)
class Faults:
    """The faults of the file or table called `name`, whose lines should look like `example`."""

    name: str
    example: str = '{"id": "q1", "question": "..."}'
    found: list[Fault] = field(default_factory=list)

    def add(self, line: int, what: str, hint: str) -> None:
        """Note a fault. Raises TooMany at the twentieth."""
        self.found.append(Fault(line, what, hint))
        if len(self.found) >= MOST_FAULTS:
            raise TooMany

    def check(self, kind: str) -> None:
        """Raise BadInput naming every fault where there are any; `kind` is what the file should have been."""
        if self.found:
            self._raise(kind)

    def _raise(self, kind: str) -> NoReturn:
        found = sorted(self.found, key=lambda fault: fault.line)
        if len(found) == 1:
            raise BadInput(f"{self.name}:{found[0].line} {found[0].what}; nothing was read.", hint=found[0].hint)
        count = f"{len(found)} faults" if len(found) < MOST_FAULTS else f"{MOST_FAULTS} faults or more"
        lines = [f"  line {fault.line}: {fault.what}. {fault.hint}" for fault in found]
        raise BadInput(
            "\n".join([f"{self.name} is no {kind}: {count}; nothing was read.", *lines]),
            hint="Mend these lines and try again.",
        )


def shortened(text: str) -> str:
    """The beginning of `text` on one line, fit to be shown."""
    clean = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text[: _SHOWN + 1])
    return clean if len(clean) <= _SHOWN else clean[: _SHOWN - 3] + "..."

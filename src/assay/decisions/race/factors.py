"""Arms as choices of levels: what a race can learn through, and what the names of recorded arms say of it.

Invariant: factors are used only where they have fewer effects than there are arms to learn them from; a list of arms
that have nothing in common has none. Proved by `tests/unit/decisions/race/test_halving.py`.
"""

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Factors:
    """Factors with two levels or more; `codes[k][f]` numbers arm k's level of factor f in the order of `levels[f]`."""

    codes: tuple[tuple[int, ...], ...]
    names: tuple[str, ...] = ()
    levels: tuple[tuple[Hashable, ...], ...] = ()

    @classmethod
    def of(cls, arms: Sequence[Mapping[str, Hashable]]) -> "Factors":
        """Those of arms with these levels; none where the arms are of different factors, or too few for the effects."""
        none = cls(codes=((),) * len(arms))
        if len({frozenset(one) for one in arms}) != 1:
            return none
        found = {name: tuple(dict.fromkeys(one[name] for one in arms)) for name in arms[0]}
        found = {name: seen for name, seen in found.items() if len(seen) > 1}
        if sum(len(seen) - 1 for seen in found.values()) >= len(arms) - 1:
            return none
        places = {name: {level: code for code, level in enumerate(seen)} for name, seen in found.items()}
        codes = tuple(tuple(places[name][one[name]] for name in found) for one in arms)
        return cls(codes, tuple(found), tuple(found.values()))


def factors_in(names: Sequence[str]) -> list[dict[str, Hashable]] | None:
    """The levels that arms' names are made of: `key=value` words of the same keys in each; None where they are not.

    Words are separated by spaces, commas or semicolons.
    """
    found: list[dict[str, Hashable]] = []
    for name in names:
        words = [word.partition("=") for word in re.split(r"[\s,;]+", name.strip())]
        levels: dict[str, Hashable] = {key: value for key, equals, value in words if key and equals and value}
        if len(levels) < len(words) or (found and set(levels) != set(found[0])):
            return None
        found.append(levels)
    return found

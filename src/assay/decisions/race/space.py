"""SPACE.toml: the designs of a race, as factors with their levels. Validated and counted before a call is spent.

    [factors]
    "index.k" = [4, 8, 16]
    "index.dense_weight" = { from = 0.2, to = 0.8, count = 4 }
    "answers.sentences" = [1, 2]

    [base]                      # holds for every design
    "answers.style" = "quote"

    [[without]]                 # combinations that make no sense; a list means any of these
    "index.mode" = "lexical"
    "index.dense_weight" = [0.2, 0.4]

    [tradeoff]                  # what quality is worth; without it the race ranks by quality alone
    ms_per_point = 50

With `[system]` (`target = "bot.py:answer"`, as `--system` takes it) the factors are settings of that system. What a
level means is not known here: `settled` takes a check from whoever knows. Invariant: no two arms answer alike by what
the check says of them, every combination is an arm or left out with its reason, and the numbering depends on the file
alone. Proved by `tests/unit/decisions/race/test_space.py`.
"""

import difflib
import hashlib
import itertools
import json
import math
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from assay.decisions.race.prompts import PromptSearch
from assay.errors import BadInput, BadSetting, NotFound

MOST_ARMS = 2_000
_SECTIONS = ("factors", "base", "without", "system", "tradeoff", "prompts")
_LONGEST_SHOWN = 24

Check = Callable[[Mapping[str, Any]], str]
"""What a combination comes to: a text that is equal for designs that answer alike. Raises BadInput or BadSetting
where the settings contradict each other."""


class Tradeoff(BaseModel):
    """What a point of quality is worth, and what is too much. Unset: the race ranks by quality alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    usd_per_point: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="dollars an answer may cost more for a point (0.01) of quality"
    )
    ms_per_point: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="milliseconds an answer may take longer for a point of quality"
    )
    max_usd: float | None = Field(None, gt=0, allow_inf_nan=False, description="dollars an answer may cost at most")
    max_p95_ms: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="95th percentile of the latency, in milliseconds, at most"
    )

    @property
    def is_stated(self) -> bool:
        """Whether anything but quality counts."""
        return self != Tradeoff()


@dataclass(frozen=True, slots=True)
class Factor:
    """A setting and the values it may take, in the order of the file."""

    name: str
    levels: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Arm:
    """A design: one level of each factor."""

    number: int
    levels: Mapping[str, Any]

    @property
    def name(self) -> str:
        """`index.k=4 answers.sentences=1`; texts that are long or have spaces by the first digits of their SHA-256."""
        return named(self.levels)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A combination that is no arm, and why."""

    levels: Mapping[str, Any]
    why: str


@dataclass(frozen=True, slots=True)
class Space:
    """A space as it is written. `base` holds for every design; `system` is the user's own, None: Assay's."""

    factors: tuple[Factor, ...]
    base: Mapping[str, Any] = field(default_factory=dict)
    without: tuple[Mapping[str, tuple[Any, ...]], ...] = ()
    system: str | None = None
    tradeoff: Tradeoff = Tradeoff()
    prompts: PromptSearch | None = None

    @property
    def combinations(self) -> int:
        """How many there are, those that are left out among them."""
        return math.prod(len(factor.levels) for factor in self.factors)

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The combinations that `[[without]]` leaves, unchecked."""
        return settled(self, lambda levels: json.dumps(dict(levels), sort_keys=True, default=str))[0]

    def with_levels(self, name: str, levels: Sequence[Any]) -> "Space":
        """The space with further levels of a factor, which is made where there is none; known ones are not doubled."""
        old = next((factor for factor in self.factors if factor.name == name), Factor(name, ()))
        every = {json.dumps(level, sort_keys=True, default=str): level for level in (*old.levels, *levels)}
        new = Factor(name, tuple(every.values()))
        others = tuple(factor for factor in self.factors if factor.name != name)
        return Space((*others, new), self.base, self.without, self.system, self.tradeoff, self.prompts)

    def as_json(self) -> dict[str, Any]:
        """What names the space."""
        return {
            "factors": [{"name": factor.name, "levels": list(factor.levels)} for factor in self.factors],
            "base": dict(self.base),
            "without": [{key: list(values) for key, values in one.items()} for one in self.without],
            "system": self.system,
            "tradeoff": self.tradeoff.model_dump(mode="json"),
            "prompts": None if self.prompts is None else self.prompts.model_dump(mode="json"),
        }


def named(levels: Mapping[str, Any]) -> str:
    """A design by its levels."""
    return " ".join(f"{key}={_shown(value)}" for key, value in levels.items())


def settled(space: Space, check: Check) -> tuple[tuple[Arm, ...], tuple[LeftOut, ...]]:
    """The arms of a space and what is left out. Raises BadInput where no arm is left."""
    arms: list[Arm] = []
    left_out: list[LeftOut] = []
    seen: dict[str, Arm] = {}
    for levels in _combined(space):
        if any(all(levels.get(key) in values for key, values in rule.items()) for rule in space.without):
            left_out.append(LeftOut(levels, "left out by [[without]]"))
            continue
        try:
            meaning = check({**space.base, **levels})
        except (BadInput, BadSetting) as error:
            left_out.append(LeftOut(levels, error.message))
            continue
        if meaning in seen:
            left_out.append(LeftOut(levels, f"answers as {seen[meaning].name} does"))
            continue
        seen[meaning] = Arm(len(arms), levels)
        arms.append(seen[meaning])
    if not arms:
        why = f" The first: {left_out[0].why}" if left_out else ""
        raise BadInput(f"The space has no design that could be raced.{why}", hint="Correct its levels or [[without]].")
    return tuple(arms), tuple(left_out)


def read_space(path: Path) -> Space:
    """The space of a TOML file. Raises NotFound, or BadInput saying what is wrong with it and where."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise NotFound(f"There is no {path}.", hint="Write a space: see `assay race --help`.") from error
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.", hint="Name a TOML file.") from error
    except (ValueError, RecursionError) as error:  # not only TOMLDecodeError: a number may have too many digits
        raise BadInput(f"{path} is not valid TOML: {error}.", hint="Correct the line it names.") from error
    return space_of(tables, where=path.name)


def space_of(tables: Mapping[str, Any], *, where: str = "the space") -> Space:
    """The space that TOML tables describe. Raises BadInput."""
    for key in tables:
        if key not in _SECTIONS:
            near = difflib.get_close_matches(key, _SECTIONS, n=1, cutoff=0.5)
            hint = f"Did you mean [{near[0]}]?" if near else f"Use {', '.join(f'[{name}]' for name in _SECTIONS)}."
            raise BadInput(f"{where} has no section [{key}].", hint=hint)
    system = _system(tables, where)
    own = system is None
    factors = tuple(
        Factor(name, _levels(name, given, where)) for name, given in _keys(tables, "factors", where, own=own)
    )
    prompts = _model(PromptSearch, tables["prompts"], "prompts", where) if "prompts" in tables else None
    if not factors and prompts is None:
        raise BadInput(
            f"{where} has no factors, so there is nothing to race.", hint='For example: [factors] "index.k" = [4, 8]'
        )
    space = Space(
        factors,
        base={name: _level(name, given, where) for name, given in _keys(tables, "base", where, own=own)},
        without=tuple(_rules(tables.get("without", []), factors, where, own=own)),
        system=system,
        tradeoff=_model(Tradeoff, tables.get("tradeoff", {}), "tradeoff", where),
        prompts=prompts,
    )
    twice = sorted(set(space.base) & {factor.name for factor in factors})
    if twice:
        raise BadInput(f"{where} sets {twice[0]} in [base] and races it.", hint="Leave it in one of the two.")
    if space.combinations > MOST_ARMS:
        raise BadInput(
            f"{where} has {space.combinations:,} designs; a race takes at most {MOST_ARMS:,}.",
            hint="Give fewer levels: the effect of each factor shows with two or three of them.",
        )
    return space


def _combined(space: Space) -> Iterator[dict[str, Any]]:
    names = [factor.name for factor in space.factors]
    for chosen in itertools.product(*(factor.levels for factor in space.factors)):
        yield dict(zip(names, chosen, strict=True))


def _levels(name: str, given: Any, where: str) -> tuple[Any, ...]:
    if isinstance(given, Mapping):
        return _range(name, given, where)
    if not isinstance(given, list):
        raise BadInput(f"{where}: {name} is no list of levels.", hint=f"Write {name} = [{_toml(given)}]")
    if not given:
        raise BadInput(f"{where}: {name} has no levels.", hint="Give at least one, or leave the factor out.")
    marks = [json.dumps(_level(name, level, where), sort_keys=True) for level in given]
    twice = next((level for place, level in enumerate(given) if marks[place] in marks[:place]), None)
    if twice is not None:
        raise BadInput(f"{where}: {name} has the level {_toml(twice)} twice.", hint="Give each level once.")
    return tuple(given)


def _level(name: str, level: Any, where: str) -> Any:
    """The level itself. Raises BadInput where JSON, and so the ledger, has no such value."""
    try:
        json.dumps(level, allow_nan=False)
    except TypeError as error:
        raise BadInput(f"{where}: {name} has a level that is a date or a time.", hint="Write it as a text.") from error
    except ValueError as error:
        raise BadInput(f"{where}: {name} has a level that is no finite number.", hint="Give finite levels.") from error
    return level


def _range(name: str, given: Mapping[str, Any], where: str) -> tuple[Any, ...]:
    """Equally spaced levels. A range without a count would be a space without an end."""
    if not {"from", "to"} <= set(given) or set(given) - {"from", "to", "count"}:
        raise BadInput(f"{where}: {name} is no list of levels.", hint=f"{name} = {{ from = 1, to = 9, count = 3 }}")
    low, high, count = given["from"], given["to"], given.get("count")
    example = f"{name} = {{ from = {low}, to = {high}, count = 3 }}"
    if count is None:
        raise BadInput(
            f"{where}: {name} is a range without a count of levels, so the space has no end.", hint=f"Write {example}"
        )
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MOST_ARMS:
        raise BadInput(f"{where}: {name} is a range with a count of {_toml(count)}.", hint=f"Write {example}")
    if not (_is_number(low) and _is_number(high)) or high < low or (count == 1 and high != low):
        raise BadInput(f"{where}: {name} runs from {low} to {high}.", hint="Give two numbers, the smaller first.")
    # Weighted ends, not a step: their difference may be more than a float holds.
    shares = [place / max(1, count - 1) for place in range(count)]
    steps = [low * (1 - share) + high * share for share in shares]
    whole = isinstance(low, int) and isinstance(high, int)
    return tuple(dict.fromkeys(round(step) if whole else float(f"{step:.10g}") for step in steps))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _rules(given: Any, factors: Sequence[Factor], where: str, *, own: bool) -> Iterator[Mapping[str, tuple[Any, ...]]]:
    levels = {factor.name: factor.levels for factor in factors}
    if not isinstance(given, list) or not all(isinstance(one, Mapping) and one for one in given):
        raise BadInput(f"{where}: without is no list of tables.", hint='Write [[without]] and "index.k" = 4 below it.')
    for one in given:
        rule = {key: tuple(value) if isinstance(value, list) else (value,) for key, value in _flat(one, own=own)}
        unknown = sorted(set(rule) - set(levels))
        if unknown:
            raise BadInput(f"{where}: [[without]] names {unknown[0]}, which is no factor.", hint="Name factors only.")
        for key, values in rule.items():
            missing = next((value for value in values if value not in levels[key]), None)
            if missing is not None or not values:
                raise BadInput(
                    f"{where}: [[without]] names {key} = {_toml(missing)}, which is none of its levels.",
                    hint=f"Its levels: {_toml(list(levels[key]))}",
                )
        yield rule


def _flat(table: Mapping[str, Any], *, own: bool, before: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys, however the file nests them; settings of a user's system are taken as they are."""
    for key, value in table.items():
        is_range = isinstance(value, Mapping) and {"from", "to"} & set(value)
        if own and isinstance(value, Mapping) and not is_range:
            yield from _flat(value, own=own, before=f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def _keys(tables: Mapping[str, Any], name: str, where: str, *, own: bool) -> list[tuple[str, Any]]:
    """The dotted keys of a section. Raises BadInput for one that is written twice, nested and in one piece."""
    found = list(_flat(_table(tables, name, where), own=own))
    names = [key for key, _value in found]
    twice = next((key for place, key in enumerate(names) if key in names[:place]), None)
    if twice is not None:
        raise BadInput(f"{where}: [{name}] has {twice} twice.", hint="Write it once.")
    return found


def _system(tables: Mapping[str, Any], where: str) -> str | None:
    """What `[system]` names; None where there is no such section."""
    system = _table(tables, "system", where)
    if "system" not in tables:
        return None
    target = system.get("target")
    if set(system) != {"target"} or not isinstance(target, str) or not target.strip():
        raise BadInput(f"{where}: [system] has one key, target.", hint='For example: target = "bot.py:answer"')
    return target


def _table(tables: Mapping[str, Any], name: str, where: str) -> Mapping[str, Any]:
    found = tables.get(name, {})
    if not isinstance(found, Mapping):
        raise BadInput(f"{where}: {name} must be a section.", hint=f"Write [{name}] and keys below it.")
    return found


def _model(kind: type[Any], given: Any, name: str, where: str) -> Any:
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in problem["loc"])
        known = ", ".join(kind.model_fields)
        raise BadInput(f"{where}: [{name}] {key}: {problem['msg'].lower()}.", hint=f"Its keys: {known}.") from error


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    if text and len(text) <= _LONGEST_SHOWN and not any(letter.isspace() or letter in "=,;" for letter in text):
        return text
    if not text:
        return '""'
    return "#" + hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:8]


def _toml(value: Any) -> str:
    return json.dumps(value, default=str)

"""What serves, or would: enough to serve it again, and to tell whether two are the same.

Assay's own answers are the settings of the rooms that answer; a user's own system is what `--system` names. Invariants:
no key is in it; what only says how long to wait or how many threads to use is not in it either, so the same release
serves on another machine. Proved by `tests/unit/decisions/test_releases.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from assay.decisions.hypothesis import Named
from assay.decisions.register import Decision
from assay.errors import BadInput, BadSetting
from assay.ledger.redaction import without_keys

ROOMS = ("documents", "index", "answers", "models")
OF_THE_MACHINE = frozenset(
    {"models.timeout_seconds", "models.connect_timeout_seconds", "models.max_retries", "models.threads"}
)
"""Settings that change no answer: they stay what the machine that serves says."""

Side = Literal["incumbent", "candidate"]


@dataclass(frozen=True, slots=True)
class Served:
    """A system that serves or could.

    `system` is what `--system` was given, None for Assay's own answers. `rooms` are the settings of Assay's own by
    section; `changes` those that made it another than what it was tried against, or the settings of the user's system.
    `subject` names its behaviour and `identity` what could be known of a system without one (see `evals.run_spec`);
    `spec` is what the run that measured it recorded for people. Raises BadSetting where an address holds a password.
    """

    name: str
    subject: str | None = None
    system: str | None = None
    rooms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    changes: Mapping[str, Any] = field(default_factory=dict)
    prompts: Mapping[str, str] = field(default_factory=dict)
    identity: str = ""
    spec: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.system is None:
            _check_addresses(self.rooms.get("models", {}))

    @property
    def is_own(self) -> bool:
        """Whether these are Assay's own answers, which `assay up` can serve."""
        return self.system is None

    def values(self) -> dict[str, Any]:
        """`section.key` -> value of Assay's own settings."""
        return {f"{room}.{key}": value for room, keys in self.rooms.items() for key, value in keys.items()}

    def answers_as(self, other: "Served") -> bool:
        """Whether both behave alike: by subject, or as `same_as`.

        A subject names the documents and the code too, which move on under a release, so it alone would say too seldom.
        """
        return (self.subject is not None and self.subject == other.subject) or self.same_as(other)

    def same_as(self, other: "Served") -> bool:
        """Whether both are set alike. A setting that one of the two, being older, does not know tells nothing apart."""
        if self.is_own != other.is_own:
            return False
        if not self.is_own:
            ours, theirs = self.as_json(), other.as_json()  # as kept: what looks like a key is not told apart
            known = (self.identity, other.identity)
            alike = all(ours[name] == theirs[name] for name in ("system", "settings"))
            return alike and (not all(known) or len(set(known)) == 1)
        known_there = other.values()
        return all(known_there[key] == value for key, value in self.values().items() if key in known_there)

    def as_json(self) -> dict[str, Any]:
        """As kept in the ledger beside name, subject and prompts, without keys."""
        shape = {
            "system": self.system,
            "settings": dict(self.changes),
            "all": {room: dict(keys) for room, keys in self.rooms.items()},
            "identity": self.identity,
            "spec": dict(self.spec),
        }
        if self.is_own:
            return shape
        clean: dict[str, Any] = _cleaned(shape)
        return clean


def served_from(
    shape: Mapping[str, Any], *, name: str, subject: str | None, prompts: Mapping[str, str] | None = None
) -> Served:
    """What `as_json` wrote, or one side of a decision's details: {"system", "settings", "all"}."""
    return Served(
        name=name,
        subject=subject,
        system=shape.get("system"),
        rooms=released(shape.get("all") or {}),
        changes=shape.get("settings") or {},
        prompts=prompts or {},
        identity=shape.get("identity") or "",
        spec=shape.get("spec") or {},
    )


def side_of(decision: Decision, side: Side, *, spec: Mapping[str, Any] | None = None) -> Served:
    """The incumbent or the candidate of a decision; `spec` is what its run recorded of the system.

    Raises BadInput where the decision does not hold its settings.
    """
    shape = decision.details.get(side)
    if not isinstance(shape, Mapping) or not (shape.get("all") or shape.get("system")):
        raise BadInput(
            f"Decision {decision.id[:8]} does not say what its {side} was set to.",
            hint="Run assay try again, and promote that decision.",
        )
    named: Named = getattr(decision.hypothesis, side)
    spec = spec or {}
    prompts = (spec.get("parts") or {}).get("prompts") or {}
    is_own = shape.get("system") is None
    # What a user's system was set to is not a setting of ours.
    changes = shape.get("settings") if is_own else shape.get("system_settings")
    whole = {**shape, "settings": changes, "identity": named.identity, "spec": {} if is_own else spec}
    return served_from(whole, name=named.name, subject=named.subject, prompts=prompts)


def released(rooms: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Of settings by section, those that a release holds."""
    return {
        room: {key: value for key, value in rooms[room].items() if f"{room}.{key}" not in OF_THE_MACHINE}
        for room in ROOMS
        if room in rooms
    }


def why_not(decision: Decision) -> str:
    """Why the verdict of a decision supports no promotion, as a sentence; empty where it does."""
    short = decision.id[:8]
    if decision.status != "done":
        return f"Decision {short} is {decision.status}, not done."
    said = (decision.outcome or {}).get("promotable")
    supports = bool(said) if said is not None else _supports(decision)
    return "" if supports else f"The verdict of decision {short} is {decision.verdict or 'missing'}."


def _supports(decision: Decision) -> bool:
    if decision.verdict == "NOT_WORSE":
        return decision.hypothesis.objective == "not_worse"
    return decision.verdict == "PROMOTE"


def _check_addresses(models: Mapping[str, Any]) -> None:
    for key, value in models.items():
        if key.endswith("_base_url") and without_keys(str(value)) != value:
            raise BadSetting(
                f"models.{key} holds what looks like a password or a key; a release keeps none.",
                hint=f"Name the variable that holds it in models.{key.removesuffix('_base_url')}_key_env.",
            )


def _cleaned(value: Any) -> Any:
    if isinstance(value, Mapping):
        # With its name before it a key is recognised that its value alone would not give away.
        return {key: _labelled(str(key), item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_cleaned(item) for item in value]
    return without_keys(value) if isinstance(value, str) else value


def _labelled(key: str, value: Any) -> Any:
    if not isinstance(value, str):
        return _cleaned(value)
    before = f"{key}: "
    cleaned = without_keys(before + value)
    return cleaned.removeprefix(before) if cleaned.startswith(before) else without_keys(value)

"""Who stands against whom in a try: systems as they are named on the command line or by the live release."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay.app.measuring import Measuring
from assay.app.settings import SettingsInForce, read_settings_file
from assay.decisions.releases import Releases
from assay.decisions.served import Served
from assay.errors import BadInput

RELEASED = ("documents", "index", "models", "answers")
"""The rooms whose settings change an answer."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A system as it was named: Assay's own under changed settings, or one of the user's (`system` as `--system`)."""

    changes: Mapping[str, Any] = field(default_factory=dict)
    system: str | None = None
    system_settings: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, served: Served, in_force: SettingsInForce) -> "Contender":
        """What a release serves, as changes to the settings in force."""
        if served.system is not None:
            return cls(system=served.system, system_settings=served.changes)
        now = {key: value for key, value, _origin, _description in in_force.rows()}
        return cls(changes={key: value for key, value in served.values().items() if now.get(key) != value})

    def in_force(self, base: SettingsInForce) -> SettingsInForce:
        """`base` with the changes."""
        return base.changed(self.changes) if self.changes else base

    def as_json(self, in_force: SettingsInForce) -> dict[str, Any]:
        """As a decision keeps it, so that it can be run and released again."""
        settings = self.in_force(in_force).settings
        rooms = {name: getattr(settings, name).model_dump(mode="json") for name in RELEASED}
        return {
            "system": self.system,
            "system_settings": dict(self.system_settings),
            "settings": dict(self.changes),
            "all": rooms if self.system is None else {},
        }


def contender(named: str | None, *, assignments: Mapping[str, Any], system_settings: Mapping[str, Any]) -> Contender:
    """What CHANGE.toml, `--set` and `--system` name. Raises BadInput where they contradict each other."""
    if named is None:
        return Contender(changes=dict(assignments))
    path = Path(named)
    if path.suffix.lower() == ".toml" and not _is_system_file(path):
        return Contender(changes={**read_settings_file(path), **assignments})
    if assignments:
        raise BadInput(
            "--set changes Assay's own settings, which a system of yours does not read.",
            hint="Use --with KEY=VALUE for settings of your system.",
        )
    return Contender(system=named, system_settings=dict(system_settings))


def _is_system_file(path: Path) -> bool:
    import tomllib

    try:
        return "system" in tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return False


def serving(measuring: Measuring, in_force: SettingsInForce, against: str | None) -> Contender:
    """The incumbent: a system named by `--against`, else the live release, else the settings in force."""
    if against is not None:
        return contender(against, assignments={}, system_settings={})
    live = Releases(measuring.workspace.database).live()
    if live is None:
        return Contender()
    return Contender.of(live.served, in_force)

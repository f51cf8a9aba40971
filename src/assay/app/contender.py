"""Who stands against whom in a try: systems as they are named on the command line or by the live release."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay.answers.prompt import instructions_prompt
from assay.app.measuring import Measuring
from assay.app.released import under
from assay.app.settings import SettingsInForce, read_settings_file
from assay.decisions.releases import Release, Releases
from assay.decisions.served import ROOMS
from assay.errors import BadInput
from assay.ledger.values import key_of


@dataclass(frozen=True, slots=True)
class Contender:
    """A system as it was named: Assay's own under changed settings, or one of the user's (`system` as `--system`).

    `release` is the live release it stands for, where it does and the system is a user's.
    """

    changes: Mapping[str, Any] = field(default_factory=dict)
    system: str | None = None
    system_settings: Mapping[str, Any] = field(default_factory=dict)
    release: Release | None = None

    def in_force(self, base: SettingsInForce) -> SettingsInForce:
        """`base` with the changes."""
        return base.changed(self.changes) if self.changes else base

    def edited(self, identity: str) -> str:
        """What a reader must know where the live release is another function by now; empty where it is not.

        `identity` names the system as it is found (see `evals.run_spec`).
        """
        if self.release is None or not self.release.served.identity or self.release.served.identity == identity:
            return ""
        return (
            f"{self.system} was edited since release {self.release.id[:8]}: what this is tried against is not what was "
            f"released. Release it as it is first: assay promote --system {self.system} --because TEXT"
        )

    def keys(self, in_force: SettingsInForce) -> set[str]:
        """What names it where something was tuned (see `decisions.tuned`): its settings, and its own instructions."""
        shape = self.as_json(in_force)
        found = {key_of("design", {"system": shape["system"], "with": shape["system_settings"], "rooms": shape["all"]})}
        told = self.in_force(in_force).settings.answers.instructions
        if self.system is None and told:
            found.add(instructions_prompt(told).digest)
        return found

    def as_json(self, in_force: SettingsInForce) -> dict[str, Any]:
        """As a decision keeps it, so that it can be run and released again."""
        settings = self.in_force(in_force).settings
        rooms = {name: getattr(settings, name).model_dump(mode="json") for name in ROOMS}
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


def serving(
    measuring: Measuring, in_force: SettingsInForce, against: str | None = None
) -> tuple[Contender, SettingsInForce]:
    """The incumbent and the settings it stands on: `--against`, else the live release, else the settings in force.

    A change of Assay's own settings is a change of what is live, whatever the settings file says.
    """
    releases = Releases(measuring.workspace.database)
    base = under(in_force, releases.live_own(), strictly=True)
    if against is not None:
        return contender(against, assignments={}, system_settings={}), base
    live = releases.live()
    if live is not None and not live.served.is_own:
        return Contender(system=live.served.system, system_settings=live.served.changes, release=live), base
    return Contender(), base

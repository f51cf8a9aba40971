"""Settings under a release: what it says holds over the file and the defaults, what this process is told over it.

Precedence: flag > environment > live release > assay.toml > default. Whoever serves something else than the release
says, by a flag or a variable, is told so; and so is whoever changed the file and expects it to serve.
Proved by `tests/unit/app/test_released.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.answers.prompt import instructions_prompt
from assay.app.loading import roles_in_use
from assay.app.settings import Origin, Settings, SettingsInForce
from assay.decisions.releases import Release
from assay.decisions.served import ROOMS, Served, released
from assay.errors import BadSetting

_OVER = ("flag", "environment")


@dataclass(frozen=True, slots=True)
class Aside:
    """A setting that the release says otherwise than `origin`: `value` there, `released` in the release."""

    key: str
    value: Any
    released: Any
    origin: Origin

    @property
    def wins(self) -> bool:
        """Whether it holds over the release."""
        return self.origin.kind in _OVER


def under(in_force: SettingsInForce, release: Release | None, *, strictly: bool = False) -> SettingsInForce:
    """The settings in force where `release` serves; `strictly`: over flags and variables too.

    Raises BadSetting where this Assay does not know one of them.
    """
    if release is None:
        return in_force
    now = {key: (value, origin) for key, value, origin, _description in in_force.rows()}
    taken = {
        key: value
        for key, value in release.served.values().items()
        # A key that is not known stays in, to be refused by name.
        if key not in now or (now[key][0] != value and (strictly or now[key][1].kind not in _OVER))
    }
    if not taken:
        return in_force
    try:
        return in_force.changed(taken, origin=Origin("release", release.id[:8]))
    except BadSetting as error:
        error.hint = f"{error.hint} It was released by another version of Assay; assay rollback goes back.".strip()
        raise


def asides(in_force: SettingsInForce, release: Release) -> list[Aside]:
    """Where flags, variables and the file say otherwise than the release."""
    said = release.served.values()
    return [
        Aside(key, value, said[key], origin)
        for key, value, origin, _description in in_force.rows()
        if key in said and said[key] != value and origin.kind in (*_OVER, "file")
    ]


def aside_notes(in_force: SettingsInForce, release: Release) -> list[str]:
    """What whoever serves should know of them, a line each kind."""
    found, short = asides(in_force, release), release.id[:8]
    notes = []
    if winning := [aside for aside in found if aside.wins]:
        listed = ", ".join(f"{a.key} = {a.value!r} ({a.origin}; the release: {a.released!r})" for a in winning)
        notes.append(f"What serves here is not the live release {short}: {listed}.")
    file = in_force.file.name if in_force.file else ""
    for aside in found:
        if not aside.wins:
            notes.append(
                f"{file} says {aside.key} = {aside.value!r}; the live release {short} says {aside.released!r}."
            )
    if any(not aside.wins for aside in found):
        notes.append(f"Try it: assay try {file}")
    return notes


def served_by(
    in_force: SettingsInForce, *, changes: Mapping[str, Any] | None = None, subject: str | None = None
) -> Served:
    """Assay's own answers under these settings, as a release holds them; `changes` are what is new about them."""
    rooms, defaults = _rooms(in_force.settings), _rooms(Settings())
    differing = {
        f"{room}.{key}": value
        for room, keys in rooms.items()
        for key, value in keys.items()
        if value != defaults[room][key]
    }
    return Served(
        name=" ".join(["assay", *(f"{key}={value}" for key, value in sorted(differing.items()))]),
        subject=subject,
        rooms=rooms,
        changes=differing if changes is None else changes,
        prompts=_prompts(in_force.settings),
    )


def _rooms(settings: Settings) -> dict[str, dict[str, Any]]:
    return released({name: getattr(settings, name).model_dump(mode="json") for name in ROOMS})


def _prompts(settings: Settings) -> dict[str, str]:
    if "chat" not in roles_in_use(settings):
        return {}
    told = instructions_prompt(settings.answers.instructions)
    return {told.name: told.digest}

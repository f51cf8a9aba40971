"""Settings: composed from every room, each value with the place it came from, frozen after start.

Precedence: flag (`--set section.key=value`) > environment (`ASSAY_SECTION_KEY`) > `assay.toml` >
default. An unknown key fails and names the nearest right one. Keys and passwords are never
settings: a setting names the environment variable that holds them.
"""

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from assay.answers.settings import AnswerSettings
from assay.decisions.settings import DecisionSettings
from assay.documents.settings import DocumentSettings
from assay.errors import BadSetting
from assay.evals.settings import EvalSettings
from assay.index.settings import IndexSettings
from assay.ledger.settings import LedgerSettings
from assay.models.settings import ModelSettings

FILE_NAME = "assay.toml"

# Variables of ours that are not settings but say where things are.
DEPLOYMENT_VARIABLES = {
    "ASSAY_HOME": "the workspace folder, instead of .assay in the current folder",
    "ASSAY_DATABASE_URL": "the database, instead of SQLite in the workspace",
    "ASSAY_CACHE": "where fetched models are kept, shared by all workspaces of a user",
    "ASSAY_WHEELS": "a folder that already holds the model wheels, for machines without a network",
    "ASSAY_CONFIG": "the settings file, instead of assay.toml in the current folder",
    "ASSAY_DATA": "public data sets, for the project's own benchmarks",
}


class ServerSettings(BaseModel):
    """How `assay up` serves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="address to bind; anything but loopback lets others in")
    port: int = Field(8321, ge=0, le=65535, description="port to bind; 0 picks a free one")
    name: str = Field("Assistant", description="what the page calls the assistant")
    max_request_kb: int = Field(256, ge=1, description="requests with a larger body are refused")
    allowed_hosts: str = Field("", description="host names the server answers to beside its own, separated by commas")


class Settings(BaseModel):
    """Everything that can be set, by room."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    documents: DocumentSettings = DocumentSettings()
    index: IndexSettings = IndexSettings()
    models: ModelSettings = ModelSettings()
    answers: AnswerSettings = AnswerSettings()
    evals: EvalSettings = EvalSettings()
    decisions: DecisionSettings = DecisionSettings()
    ledger: LedgerSettings = LedgerSettings()
    server: ServerSettings = ServerSettings()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from: `flag`, `environment`, `release`, `file` or `default`, and its exact name there."""

    kind: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.detail}".strip()


@dataclass(frozen=True, slots=True)
class SettingsInForce:
    """Settings and, for each `section.key`, its origin."""

    settings: Settings
    origins: Mapping[str, Origin]
    file: Path | None = None

    def changed(self, flags: Mapping[str, Any], *, origin: Origin | None = None) -> "SettingsInForce":
        """These settings with `flags` on top, from `origin` (default: a flag). Raises BadSetting as `load_settings`."""
        origin = origin or Origin("flag")
        origins = dict(self.origins)
        values = {key: value for key, value, _origin, _description in self.rows()}
        for key, value in flags.items():
            if key not in origins:
                raise BadSetting(f"There is no setting {key!r} ({origin}).", hint=_nearest(key, list(origins)))
            values[key] = value
            origins[key] = origin
        return SettingsInForce(_validated(values, origins), origins, self.file)

    def rows(self) -> Iterator[tuple[str, Any, Origin, str]]:
        """(key, value, origin, description) of every setting, in order."""
        for key, info in known_keys().items():
            section, name = key.split(".", 1)
            value = getattr(getattr(self.settings, section), name)
            yield key, value, self.origins[key], info.description or ""


def known_keys() -> dict[str, FieldInfo]:
    """Every `section.key` with its field, in order."""
    keys: dict[str, FieldInfo] = {}
    for section, info in Settings.model_fields.items():
        room = info.annotation
        assert isinstance(room, type)
        assert issubclass(room, BaseModel)
        for name, field in room.model_fields.items():
            keys[f"{section}.{name}"] = field
    return keys


def variable_of(key: str) -> str:
    """The environment variable of a setting: `index.k` is `ASSAY_INDEX_K`."""
    return "ASSAY_" + key.replace(".", "_").upper()


def settings_file(environ: Mapping[str, str], folder: Path) -> Path | None:
    """The settings file in force: `ASSAY_CONFIG`, or assay.toml in `folder` where it exists. Raises BadSetting where
    either is something else than a file."""
    named = environ.get("ASSAY_CONFIG")
    if named:
        path = Path(named)
        if not path.is_file():
            raise BadSetting(f"ASSAY_CONFIG names {named}, which is not a file.", hint="Correct or unset ASSAY_CONFIG.")
        return path
    path = folder / FILE_NAME
    if path.is_file():
        return path
    if os.path.lexists(path):
        what = "a link to nothing" if not path.exists() else "a folder" if path.is_dir() else "not a file"
        raise BadSetting(f"{path} is {what}.", hint="Move it away; assay init writes a settings file.")
    return None


def load_settings(
    *, folder: Path | None = None, flags: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None
) -> SettingsInForce:
    """The settings in force. Raises BadSetting naming the wrong key or value and where it stands."""
    environ = os.environ if environ is None else environ
    file = settings_file(environ, folder or Path.cwd())
    values: dict[str, Any] = {}
    origins = dict.fromkeys(known_keys(), Origin("default"))

    def take(key: str, value: Any, origin: Origin) -> None:
        if key not in origins:
            raise BadSetting(f"There is no setting {key!r} ({origin}).", hint=_nearest(key, list(origins)))
        values[key] = value
        origins[key] = origin

    if file is not None:
        for key, value in _from_file(file):
            take(key, value, Origin("file", file.name))
    for key, value in _from_environment(environ, origins):
        take(key, value, Origin("environment", variable_of(key)))
    for key, value in (flags or {}).items():
        take(key, value, Origin("flag"))
    return SettingsInForce(_validated(values, origins), origins, file)


def parse_assignment(text: str) -> tuple[str, str]:
    """`index.k=8` as ("index.k", "8"). Raises BadSetting for anything else."""
    key, equals, value = text.partition("=")
    if not equals or "." not in key:
        raise BadSetting(f"--set takes section.key=value, not {text!r}.", hint="For example: --set index.k=12")
    return key.strip(), value.strip()


def read_settings_file(file: Path) -> dict[str, Any]:
    """What a settings file sets, as `section.key` and value; raises BadSetting as `load_settings` does."""
    return dict(_from_file(file))


def _from_file(file: Path) -> Iterator[tuple[str, Any]]:
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSetting(f"{file} is not valid TOML: {error}.", hint="Correct the line it names.") from error
    except OSError as error:
        raise BadSetting(f"{file} cannot be read: {error.strerror}.", hint="Check its permissions.") from error
    sections = list(Settings.model_fields)
    for section, table in tables.items():
        if section not in sections:
            raise BadSetting(f"{file.name} has no section [{section}].", hint=_nearest(section, sections))
        if not isinstance(table, dict):
            raise BadSetting(f"{file.name}: {section} must be a section.", hint=f"Write [{section}] and keys below it.")
        for name, value in table.items():
            yield f"{section}.{name}", value


def _from_environment(environ: Mapping[str, str], keys: Mapping[str, Origin]) -> Iterator[tuple[str, str]]:
    by_variable = {variable_of(key): key for key in keys}
    for variable, value in environ.items():
        if variable in by_variable:
            yield by_variable[variable], value
        elif variable.startswith("ASSAY_") and variable not in DEPLOYMENT_VARIABLES:
            near = difflib.get_close_matches(variable, [*by_variable, *DEPLOYMENT_VARIABLES], n=1, cutoff=0.85)
            if near:
                raise BadSetting(
                    f"The environment sets {variable}, which Assay does not know.", hint=f"Did you mean {near[0]}?"
                )


def _validated(values: Mapping[str, Any], origins: Mapping[str, Origin]) -> Settings:
    tables: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        section, name = key.split(".", 1)
        tables.setdefault(section, {})[name] = value
    try:
        return Settings.model_validate(tables)
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(str(part) for part in problem["loc"][:2])
        raise BadSetting(
            f"{key} = {problem['input']!r} ({origins.get(key, Origin('file'))}): {problem['msg']}.",
            hint=f"{key}: {known_keys()[key].description}" if key in origins else "",
        ) from error


def _nearest(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.3)
    return f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known)}."

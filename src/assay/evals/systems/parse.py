"""What `--system` names: a file, a URL, or a function.

    assay.toml                Assay itself under these settings; comes back as `OwnSettings`
    bot.toml                  a file with a table [system]: an HTTP endpoint, an OpenAI server or a function
    http://host/v1#model      a server on the OpenAI wire
    module:function           a function, imported from the current folder too; also bot.py:function

Proved by `tests/unit/evals/test_systems_parse.py`.
"""

import importlib
import os
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.errors import AssayError, BadSetting, NotFound
from assay.evals.system import System
from assay.evals.systems.blame import told
from assay.evals.systems.callables import CallableSystem
from assay.evals.systems.spec import KINDS, CallableSpec, HttpSpec, OpenAISpec, checked, nearest

_FORMS = "Name a .toml file, a URL such as http://127.0.0.1:8321/v1, or module:function."


@dataclass(frozen=True, slots=True)
class OwnSettings:
    """Assay's own answers under the settings file `path`."""

    path: Path


def parse_system(
    named: str,
    *,
    settings: Mapping[str, Any] | None = None,
    folder: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> System | OwnSettings:
    """The system `named`. `settings` go on top of its file: a callable's own, or keys of [system].

    Relative paths and modules are looked for in `folder` (default: the current one). Raises BadSetting or NotFound.
    """
    folder = folder or Path.cwd()
    environ = os.environ if environ is None else environ
    named = named.strip()
    if named.startswith(("http://", "https://")):
        server = checked(OpenAISpec, {**(settings or {}), "url": named}, where="--system")
        return _made(server, where="--system", folder=folder, environ=environ)
    if named.lower().endswith(".toml"):
        path = folder / Path(named).expanduser()
        tables = _toml(path)
        if "system" not in tables:
            return OwnSettings(path)
        return _from_table(tables, settings or {}, path=path, environ=environ)
    if ":" in named:
        function = CallableSpec(target=named, settings=dict(settings or {}))
        return _made(function, where="--system", folder=folder, environ=environ)
    raise BadSetting(f"{named or 'Nothing'} is no system.", hint=_FORMS)


def import_target(target: str, *, folder: Path) -> Callable[..., Any]:
    """What `module:name` or `file.py:name` stands for. `folder` stays on `sys.path`: modules import each other late."""
    module_name, _, name = target.rpartition(":")
    if not module_name or not name:
        raise BadSetting(f"{target!r} is not module:function.", hint="Write it as my_bot:answer or my_bot.py:answer.")
    if module_name.endswith(".py"):
        path = folder / Path(module_name).expanduser()
        if not path.is_file():
            raise NotFound(f"There is no file {module_name}.", hint="Check the path.")
        folder, module_name = path.resolve().parent, path.stem
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    value: Any = _imported(module_name, folder)
    for part in name.split("."):
        try:
            value = getattr(value, part)
        except AttributeError:
            known = [name for name in vars(value) if not name.startswith("_")] if hasattr(value, "__dict__") else []
            raise NotFound(f"{module_name} has no {part!r}.", hint=nearest(part, known)) from None
    if not callable(value):
        raise BadSetting(
            f"{target} is a {type(value).__name__}, which cannot be called.",
            hint="Name a function, or an object of a class with __call__.",
        )
    called: Callable[..., Any] = value
    return called


def _imported(name: str, folder: Path) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            known = sorted(
                {path.stem for path in folder.glob("*.py")}
                | {path.parent.name for path in folder.glob("*/__init__.py")}
            )
            raise NotFound(
                f"There is no module {error.name!r}, here or installed.",
                hint=nearest(error.name, known[:20]) if known else "Run this in the folder that holds it.",
            ) from None
        raise BadSetting(
            f"{name} cannot be imported: {told(error)}.", hint=f"Install {error.name} in this environment."
        ) from error
    except AssayError:
        raise
    except (ValueError, TypeError) as error:
        if not error.__traceback__ or not error.__traceback__.tb_next:
            raise BadSetting(f"{name!r} is no module name.", hint=_FORMS) from None
        raise _broken(name, error) from error
    except (Exception, SystemExit) as error:
        raise _broken(name, error) from error


def _broken(name: str, error: BaseException) -> BadSetting:
    return BadSetting(f"{name} cannot be imported: {told(error)}.", hint="Correct the line it names.")


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise NotFound(f"There is no file {path}.", hint="Check the path.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSetting(f"{path} is not valid TOML: {error}.", hint="Correct the line it names.") from error
    except OSError as error:
        raise BadSetting(f"{path} cannot be read: {error.strerror}.", hint="Check its permissions.") from error


def _from_table(
    tables: Mapping[str, Any], settings: Mapping[str, Any], *, path: Path, environ: Mapping[str, str]
) -> System:
    where = path.name
    table = tables["system"]
    others = [name for name in tables if name != "system"]
    if others:
        raise BadSetting(
            f"{where} has [system] and {others[0]!r}.", hint="Keep a system and Assay's own settings in two files."
        )
    if not isinstance(table, dict):
        raise BadSetting(f"{where}: system must be a table.", hint="Write [system] and keys below it.")
    kind = str(table.get("kind", ""))
    if kind not in KINDS:
        raise BadSetting(
            f"{where}: kind = {kind!r} is no kind of system." if kind else f"{where} does not say its kind.",
            hint=f"Set kind to one of: {', '.join(KINDS)}.",
        )
    if kind == "callable":
        own = table.get("settings", {})
        values = {**table, "settings": {**own, **settings} if isinstance(own, dict) else own}
    else:
        values = {**table, **settings}
    spec = checked(KINDS[kind], values, where=where)
    return _made(spec, where=where, folder=path.resolve().parent, environ=environ)


def _made(
    spec: CallableSpec | OpenAISpec | HttpSpec, *, where: str, folder: Path, environ: Mapping[str, str]
) -> System:
    if isinstance(spec, CallableSpec):
        target = import_target(spec.target, folder=folder)
        return CallableSystem(target, settings=spec.settings, options=spec, name=spec.target, close=True)
    # Imported here: a function needs no HTTP client.
    if isinstance(spec, OpenAISpec):
        from assay.evals.systems.openai_endpoint import OpenAISystem

        return OpenAISystem(spec, where=where, environ=environ)
    from assay.evals.systems.template import HttpSystem

    return HttpSystem(spec, where=where, environ=environ)

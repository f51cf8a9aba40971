"""`assay init`: a commented assay.toml, every key shown with its default."""

from contextlib import suppress
from pathlib import Path

import click

from assay.app.cli import output
from assay.app.cli.options import json_option


@click.command("init")
@click.option("--force", is_flag=True, help="Replace an assay.toml that is there.")
@json_option
def command(force: bool, as_json: bool) -> None:
    """Write a commented assay.toml into the current folder."""
    from assay.app.settings import FILE_NAME
    from assay.errors import Conflict

    path = Path.cwd() / FILE_NAME
    if path.exists() and not force:
        raise Conflict(f"{FILE_NAME} is here already.", hint="Edit it, or run assay init --force to replace it.")
    _write_whole(path, settings_text())
    if as_json:
        output.emit_json({"file": str(path)})
    else:
        output.console().print(f"Wrote {path}. Every key is commented out: uncomment what you change.")


def _write_whole(path: Path, text: str) -> None:
    """Write all of it or leave the file as it was: --force on a full disk must not lose the user's settings."""
    from assay.errors import Conflict

    part = path.with_name(f"{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise Conflict(
            f"{path} cannot be written: {error.strerror}.", hint="Free some space, or check the folder's permissions."
        ) from error


def settings_text() -> str:
    """The text of a fresh assay.toml: loading it changes nothing."""
    import json

    from assay.app.settings import Settings, known_keys, variable_of

    lines = [
        "# Settings of this workspace. Precedence: --set section.key=value, then the environment",
        "# (ASSAY_SECTION_KEY), then this file, then the default shown.",
        "# API keys are never written here: a setting names the environment variable that holds one.",
    ]
    section = ""
    for key, field in known_keys().items():
        room, name = key.split(".", 1)
        if room != section:
            section = room
            doc = (Settings.model_fields[room].annotation.__doc__ or "").strip().splitlines()[0]
            lines += ["", f"[{room}]  # {doc}"]
        lines += [f"# {field.description} ({variable_of(key)})", f"# {name} = {json.dumps(field.default)}"]
    return "\n".join(lines) + "\n"

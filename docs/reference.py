"""Generate docs/reference/: commands, settings, errors and the map of modules, from the code itself.

`python -m docs.reference` writes the pages, `--check` fails where one is out of date.
"""

import ast
import sys
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "docs" / "reference"


def main(arguments: list[str]) -> int:
    pages = {"commands.md": commands(), "settings.md": settings(), "errors.md": errors(), "map.md": module_map()}
    if "--check" in arguments:
        stale = [name for name, text in pages.items() if not same(OUT / name, text)]
        for name in stale:
            print(f"docs/reference/{name} is out of date: run make reference", file=sys.stderr)
        return 1 if stale else 0
    OUT.mkdir(parents=True, exist_ok=True)
    for name, text in pages.items():
        (OUT / name).write_text(text, encoding="utf-8")
    return 0


def same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def commands() -> str:
    from assay.app.cli.main import VERBS, cli

    parts = [
        "# Commands\n\nGenerated from the code. `--json` prints one JSON object on stdout, wherever it is listed; the "
        "exports write JSON lines without it.\n"
    ]
    root = click.Context(cli, info_name="assay", **cli.context_settings)
    for verb in VERBS:
        command = cli.get_command(root, verb)
        assert command is not None
        parts.append(help_of(command, click.Context(command, parent=root, info_name=verb), 2))
    return "\n".join(parts)


def help_of(command: click.Command, context: click.Context, level: int) -> str:
    context.terminal_width = 100
    context.max_content_width = 100
    text = f"{'#' * level} `{context.command_path}`\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            text += "\n" + help_of(child, click.Context(child, parent=context, info_name=name), level + 1)
    return text


def settings() -> str:
    from assay.app.settings import DEPLOYMENT_VARIABLES, known_keys, variable_of

    lines = [
        "# Settings\n",
        "Generated from the code. Precedence: `--set section.key=value`, the environment variable, `assay.toml`,",
        "the default. `assay config` prints every value and where it came from; `assay init` writes a commented file.\n",
        "| setting | default | environment | what it does |",
        "|---|---|---|---|",
    ]
    for key, field in known_keys().items():
        default = "" if field.default == "" else f"`{field.default}`"
        lines.append(f"| `{key}` | {default} | `{variable_of(key)}` | {field.description} |")
    lines += ["", "## Where things are\n", "| variable | what it names |", "|---|---|"]
    lines += [f"| `{name}` | {text} |" for name, text in DEPLOYMENT_VARIABLES.items()]
    return "\n".join(lines) + "\n"


def errors() -> str:
    import assay.errors as module
    from assay.app.failures import exit_code, http_status

    lines = [
        "# Errors\n",
        "Generated from the code. Every failure has a stable `code`, one sentence that says what was wrong, and a",
        "hint that says what to do. A code can be narrower than its class, as `encrypted` is for `unreadable`.\n",
        "| class | code | HTTP status | exit code | meaning |",
        "|---|---|---|---|---|",
    ]
    for name, value in vars(module).items():
        if isinstance(value, type) and issubclass(value, module.AssayError) and value is not module.AssayError:
            error = value("")
            meaning = (value.__doc__ or "").strip().splitlines()[0]
            lines.append(f"| `{name}` | `{value.code}` | {http_status(error)} | {exit_code(error)} | {meaning} |")
    return "\n".join(lines) + "\n"


def module_map() -> str:
    lines = ["# Map\n", "Generated from the code: every module and the first line of its docstring.\n"]
    source = ROOT / "src" / "assay"
    for path in sorted(source.rglob("*.py")):
        if "versions" in path.parts:
            continue
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        name = path.relative_to(source.parent).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
        first = text.splitlines()[0] if text else ""
        lines.append(f"- `{name}`: {first}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

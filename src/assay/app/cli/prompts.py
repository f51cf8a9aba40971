"""`assay prompts`: the words models are given, by name and version, and what changed between two."""

import click

from assay.app.cli import output
from assay.app.cli.options import json_option
from assay.app.cli.runs import iso, with_measuring


@click.group("prompts", invoke_without_command=True)
@json_option
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """Every prompt in use, its digest, and how many versions this workspace has seen."""
    if context.invoked_subcommand is not None:
        return
    rows = with_measuring((), lambda opened: opened.prompts())
    if as_json:
        output.emit_json({"prompts": [{"name": p.name, "digest": p.digest, "versions": count} for p, count in rows]})
        return
    width = max((len(prompt.name) for prompt, _count in rows), default=0)
    for prompt, count in rows:
        versions = f"{count} versions" if count > 1 else "1 version"
        output.console().print(f"{prompt.name:<{width}}  {prompt.digest}  {versions}", markup=False)


@command.command("show", short_help="The text of a prompt.")
@click.argument("name")
@json_option
def show_command(name: str, as_json: bool) -> None:
    """The text of a prompt, by name (its newest version) or digest."""
    prompt = with_measuring((), lambda opened: opened.prompt_store().find(name))
    if as_json:
        output.emit_json({"name": prompt.name, "digest": prompt.digest, "text": prompt.text})
    else:
        output.console().print(prompt.text, markup=False)


@command.command("versions", short_help="Every version of a prompt.")
@click.argument("name")
@json_option
def versions_command(name: str, as_json: bool) -> None:
    """Every version of a prompt this workspace has seen, newest first."""
    found = with_measuring((), lambda opened: opened.prompt_store().versions(name))
    if as_json:
        rows = [{"number": v.number, "digest": v.prompt.digest, "created": iso(v.created_ns)} for v in found]
        output.emit_json({"name": name, "versions": rows})
        return
    for version in reversed(found):
        output.console().print(f"{version.number:>3}  {version.prompt.digest}  {iso(version.created_ns)}", markup=False)


@command.command("diff", short_help="What changed between two prompts.")
@click.argument("before")
@click.argument("after")
def diff_command(before: str, after: str) -> None:
    """A unified diff of two prompts, each by name or digest."""
    text = with_measuring((), lambda opened: opened.prompt_store().diff(before, after))
    if text:
        output.console().print(text, markup=False, end="")
    else:
        output.note("They are the same.")

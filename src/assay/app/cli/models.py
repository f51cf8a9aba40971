"""`assay models`: list, fetch and test the models in use."""

from typing import TYPE_CHECKING, Any

import click

from assay.app.cli import output
from assay.app.cli.options import json_option, set_option

if TYPE_CHECKING:
    from assay.app.settings import SettingsInForce


@click.group("models")
def command() -> None:
    """List, fetch and test the models in use."""


@command.command("list", short_help="The models in force, and whether their weights are here.")
@set_option
@json_option
def list_command(assignments: tuple[str, ...], as_json: bool) -> None:
    """The models in force: role, name, where they run, whether their weights are here."""
    from assay.app.cli.options import settings_from
    from assay.models.catalogue import listing

    rows = listing(settings_from(assignments).settings.models)
    if as_json:
        output.emit_json({"models": [_listing_shape(row) for row in rows]})
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("role", "name", "runs", "weights", "size"):
        table.add_column(heading, justify="right" if heading == "size" else "left")
    for row in rows:
        size = f"{row.bytes / 1e6:,.0f} MB" if row.bytes else ""
        # Whether a server has its weights is the server's affair.
        weights = "" if row.bytes is None and row.runs.startswith("at ") else "here" if row.present else "not fetched"
        table.add_row(row.role, row.name, row.runs, weights, size)
    output.console().print(table)


@command.command("pull", short_help="Fetch the weights of the embedded models, once for all workspaces.")
@json_option
def pull_command(as_json: bool) -> None:
    """Fetch and verify the weights of the embedded models, once for all workspaces of this user."""
    from assay.models.catalogue import prepare
    from assay.models.weights import pull

    with _Bars() as bars:
        pulled = pull(progress=bars.follow)
    output.note("preparing the models for this machine, once")
    prepare()
    pulled = pull()
    if as_json:
        output.emit_json(
            {"models": [{"name": item.name, "path": str(item.path), "bytes": item.bytes} for item in pulled]}
        )
        return
    for item in pulled:
        output.console().print(f"{item.name}  {item.bytes / 1e6:,.0f} MB  {item.path}", markup=False)


@command.command("test")
@set_option
@json_option
def test_command(assignments: tuple[str, ...], as_json: bool) -> int:
    """Call every model in force once: does it answer, how fast?"""
    import anyio

    from assay.app.cli.options import settings_from

    in_force = settings_from(assignments)
    results = anyio.run(_probe_all, in_force)
    if as_json:
        output.emit_json({"models": results})
    else:
        screen = output.console()
        for result in results:
            mark = "ok    " if result["ok"] else "failed"
            screen.print(f"{mark}  {result['role']:<9} {result['name']:<28} {result['detail']}", markup=False)
    return 0 if all(result["ok"] for result in results) else 3


async def _probe_all(in_force: "SettingsInForce") -> list[dict[str, Any]]:
    from assay.errors import AssayError
    from assay.models.catalogue import probe

    settings = in_force.settings.models
    results = []
    for role in ("embedder", "chat", "reranker"):
        if getattr(settings, role) == "none":
            continue
        try:
            probed = await probe(role, settings)
            detail = f"{probed.latency_ms:,.0f} ms  {probed.detail}"
            results.append(
                {"role": role, "name": probed.name, "ok": True, "latency_ms": probed.latency_ms, "detail": detail}
            )
        except AssayError as error:
            detail = f"{error.message} {error.hint}".strip()
            results.append(
                {"role": role, "name": getattr(settings, role), "ok": False, "code": error.slug, "detail": detail}
            )
    return results


def _listing_shape(row: Any) -> dict[str, Any]:
    return {
        "role": row.role,
        "name": row.name,
        "runs": row.runs,
        "present": row.present,
        "bytes": row.bytes,
        "digest": row.digest,
    }


class _Bars:
    """Download bars on stderr; one line per model where stderr is not a terminal."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
        self._console = output.error_console()
        self._progress = Progress(
            *columns, console=self._console, transient=True, disable=not self._console.is_terminal
        )
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> "_Bars":
        self._progress.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._progress.stop()

    def follow(self, name: str, done_bytes: int, total_bytes: int) -> None:
        """Show how much of `name` is here."""
        if name not in self._tasks:
            if not self._console.is_terminal:
                output.note(f"fetching {name} ({total_bytes / 1e6:,.0f} MB)")
            self._tasks[name] = self._progress.add_task(f"fetching {name}", total=total_bytes)
        self._progress.update(self._tasks[name], completed=done_bytes, total=total_bytes)

"""Run a verb's coroutine on an open workspace, showing what takes long on stderr."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

if TYPE_CHECKING:
    from assay.app.service import IngestStatus
    from assay.app.settings import SettingsInForce
    from assay.app.wiring import Workspace
    from assay.index.ingest import IngestProgress

T = TypeVar("T")


def with_workspace(in_force: "SettingsInForce", work: "Callable[[Workspace], Awaitable[T]]") -> T:
    """The result of `work` on the open workspace; Ctrl-C cancels it and closes the workspace."""
    from assay.app.wiring import open_workspace

    async def main() -> T:
        async with open_workspace(in_force) as workspace:
            return await work(workspace)

    return anyio.run(main)


async def watching_models(workspace: "Workspace", work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`; while it waits for models to load, progress bars on stderr show it."""
    task = asyncio.ensure_future(work)
    try:
        # Loading from the cache takes under a second: say nothing about it.
        with suppress(TimeoutError):
            return await asyncio.wait_for(asyncio.shield(task), 0.7)
        if any(model.state == "loading" for model in workspace.models()) and sys.stderr.isatty():
            await _draw_loading(workspace, task)
        return await task
    finally:
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _draw_loading(workspace: "Workspace", task: "asyncio.Future[Any]") -> None:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    from assay.app.cli.output import error_console

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=error_console(), transient=True) as progress:
        bars: dict[str, Any] = {}
        while not task.done() and any(model.state == "loading" for model in workspace.models()):
            for model in workspace.models():
                if model.state == "loading" and model.total_bytes:
                    if model.role not in bars:
                        bars[model.role] = progress.add_task(f"fetching {model.role}", total=model.total_bytes)
                    progress.update(bars[model.role], completed=model.done_bytes, total=model.total_bytes)
            await asyncio.sleep(0.1)


class IngestBar:
    """A progress bar of an ingestion on stderr; silent where stderr is not a terminal."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        from assay.app.cli.output import error_console

        columns = (
            TextColumn("ingesting"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[passages]:,} passages"),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[current]}[/]"),
        )
        self._progress = Progress(*columns, console=error_console(), transient=True, disable=not sys.stderr.isatty())
        self._task = self._progress.add_task("ingesting", total=None, passages=0, current="")

    def __enter__(self) -> "IngestBar":
        self._progress.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._progress.stop()

    def note(self, text: str) -> None:
        """A line above the bar."""
        self._progress.console.print(text, markup=False)

    def __call__(self, status: "IngestStatus | IngestProgress") -> None:
        """Show where the ingestion stands."""
        self._progress.update(
            self._task,
            completed=status.files_done,
            total=status.files_found or None,
            passages=status.passages,
            current=status.current[-40:],
        )

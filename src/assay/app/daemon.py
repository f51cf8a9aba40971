"""Run what blocks for long, and cannot be interrupted, on a thread that never delays the end of the process.

Fetching weights takes minutes and loading them seconds; Ctrl-C must not wait for either. What such
work leaves behind half done is discarded or completed by the next run (`assay.models.weights`).
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")


async def in_daemon_thread(work: Callable[[], T]) -> T:
    """The result of `work()`; cancelling waits for nothing and drops the result."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()

    def tell(give: Callable[[Any], None], value: Any) -> None:
        def unless_cancelled() -> None:
            if not outcome.done():
                give(value)

        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(unless_cancelled)

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001  # handed to whoever awaits it
            tell(outcome.set_exception, error)
        else:
            tell(outcome.set_result, result)

    threading.Thread(target=run, name="assay-load", daemon=True).start()
    return await outcome

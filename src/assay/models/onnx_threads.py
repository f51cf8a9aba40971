"""onnxruntime on one thread a run, and many runs at once: what the embedder and cross-encoders share."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from assay.errors import Corrupt


def open_session(graph: Path, *, hint: str, skip: Sequence[str] = ()) -> Any:
    """A session whose runs use the calling thread alone, so several may run at once. Raises `Corrupt` with `hint`.

    `skip` names steps of the optimiser to leave out.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # A spinning thread would steal a core from the chat model.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        providers = ["CPUExecutionProvider"]
        return ort.InferenceSession(str(graph), options, providers=providers, disabled_optimizers=list(skip))
    except Exception as error:  # onnxruntime raises a class of its own for each way a file can be bad
        reason = " ".join(str(error).split())[:200]
        raise Corrupt(f"onnxruntime cannot load {graph}: {reason}", hint=hint) from error


async def run_each(pool: ThreadPoolExecutor, work: Callable[[int], None], *, count: int, workers: int) -> None:
    """Call `work(0)` ... `work(count - 1)`, each once, on up to `workers` threads of `pool`.

    The event loop stays free. Cancelling stops after the calls that run.
    """
    todo, stop = _Countdown(count), threading.Event()

    def drain() -> None:
        for i in todo:
            if stop.is_set():
                return
            work(i)

    loop = asyncio.get_running_loop()
    running = [loop.run_in_executor(pool, drain) for _ in range(min(workers, count))]
    try:
        await asyncio.gather(*running)
    finally:
        stop.set()


class _Countdown:
    """Hands out 0, 1, ..., each to exactly one thread."""

    def __init__(self, end: int) -> None:
        self._next, self._end, self._lock = 0, end, threading.Lock()

    def __iter__(self) -> Iterator[int]:
        while True:
            with self._lock:
                i = self._next
                self._next += 1
            if i >= self._end:
                return
            yield i

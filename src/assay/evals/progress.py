"""What a progress bar shows while an evaluation runs."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from assay.evals.live_run import LiveRun

EVERY_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is. Counts are questions (cases times replicas), those of earlier attempts included.

    `means` are of the results so far, what failed at 0: for watching, not for a report. `cost_usd` and the calls are
    of the whole run; `unpriced_calls` are not in the cost. `remaining_seconds` is None until it can be told.
    """

    run_id: str
    done: int
    total: int
    failed: int
    means: Mapping[str, float]
    cost_usd: float
    unpriced_calls: int
    paid_calls: int
    cached_calls: int
    elapsed_seconds: float
    remaining_seconds: float | None
    resumed: bool


class Reporter:
    """Tells a callback how far a run is, at most every tenth of a second."""

    def __init__(self, live: LiveRun, callback: Callable[[Progress], None] | None) -> None:
        self._live, self._callback = live, callback
        self._started = self._reported = time.perf_counter()
        self._before = live.standing.results - live.standing.failed

    def report(self, *, now: bool = False) -> None:
        """Call after each result, and with `now` where it must not be left out."""
        if self._callback is None:
            return
        clock = time.perf_counter()
        if now or clock - self._reported >= EVERY_SECONDS:
            self._reported = clock
            self._callback(self._progress(clock - self._started))

    def _progress(self, elapsed_seconds: float) -> Progress:
        live = self._live
        standing, totals = live.standing, live.totals
        total = live.spec.cases * live.spec.replicas
        done = self._before + live.added
        pace = live.added / elapsed_seconds if live.added and elapsed_seconds else 0.0
        return Progress(
            run_id=live.id,
            done=done,
            total=total,
            failed=standing.failed,
            means=standing.means(),
            cost_usd=totals.cost_usd,
            unpriced_calls=totals.unpriced_calls,
            paid_calls=totals.paid_calls,
            cached_calls=totals.cached_calls,
            elapsed_seconds=elapsed_seconds,
            remaining_seconds=(total - done) / pace if pace else None,
            resumed=live.resumed,
        )

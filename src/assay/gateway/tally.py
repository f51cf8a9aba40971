"""What the work in hand has cost so far: calls executed, calls answered from the cache, US dollars.

Whoever wants a bill sets a `Tally` in the context before the work; child tasks share the object, so everything they
cause adds to it. Invariants: a call is counted once, by the wrapper that executed it (`assay.gateway.meter`) or that
found it in the cache (`assay.gateway.cache`); a cost nobody can tell counts as unpriced and never as 0. Proved by
`tests/unit/gateway/test_meter.py`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class Tally:
    """Counts of model, judge and embedder calls. `cost_usd` is of the calls that could be priced."""

    paid_calls: int = 0
    cached_calls: int = 0
    cost_usd: float = 0.0
    unpriced_calls: int = 0

    def paid(self, cost_usd: float | None) -> None:
        """One call was executed; None where its cost cannot be told."""
        self.paid_calls += 1
        if cost_usd is None:
            self.unpriced_calls += 1
        else:
            self.cost_usd += cost_usd

    def add(self, other: "Tally") -> None:
        """Add another tally's counts to this one."""
        self.paid_calls += other.paid_calls
        self.cached_calls += other.cached_calls
        self.cost_usd += other.cost_usd
        self.unpriced_calls += other.unpriced_calls


tally: ContextVar[Tally | None] = ContextVar("assay_tally", default=None)


def in_force() -> Tally:
    """The tally of the context, or one nobody reads."""
    counts = tally.get()
    return Tally() if counts is None else counts


@contextmanager
def tallying() -> Iterator[Tally]:
    """A new tally for what happens inside; it is added to the one around it at the end, whatever happened."""
    around, inside = in_force(), Tally()
    token = tally.set(inside)
    try:
        yield inside
    finally:
        tally.reset(token)
        around.add(inside)

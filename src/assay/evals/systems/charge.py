"""The bill of a foreign system: what it executed goes into the tally, whether or not its reply was of use."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from assay.errors import Garbled, TimedOut
from assay.gateway.tally import Tally, in_force


@dataclass(slots=True)
class Charge:
    """What one call cost, None while or where nobody can tell."""

    cost_usd: float | None


def charge(calls: int, cost_usd: float | None) -> None:
    """Add `calls` executed calls to the tally; `cost_usd` is of all of them."""
    if cost_usd is None:
        in_force().add(Tally(paid_calls=calls, unpriced_calls=calls))
    else:
        in_force().add(Tally(paid_calls=calls, cost_usd=cost_usd))


@contextmanager
def charging(cost_usd: float | None) -> Iterator[Charge]:
    """One HTTP call: charged with what `cost_usd` is set to inside, unless the server refused to do the work."""
    charged = Charge(cost_usd)
    try:
        yield charged
    except (Garbled, TimedOut):
        # An answer that cannot be read and one that came too late were worked for; a refusal was not.
        charge(1, charged.cost_usd)
        raise
    charge(1, charged.cost_usd)

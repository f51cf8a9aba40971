"""Money in integers: what a call may cost at most before it is made, and what is owed for one that failed.

Amounts are nano-dollars (1 USD = 10^9), so that sums are exact. Invariants: `most` is never below what `cost_usd` says
of any usage within the same counts, whichever bucket the prompt's tokens end up in and whatever hour the price changes
at; rounding is always up. Proved by `tests/properties/test_budget.py`.
"""

import functools
import math
import time
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from typing import Any

from assay.errors import Fixable, RateLimited, Refused
from assay.models.chat import Usage
from assay.models.prices import cost_usd

NANO = 10**9
_SLOT_SECONDS = 600  # prices change at whole hours and half hours
_SLOTS_AHEAD = 7  # a call that lasts longer than an hour has timed out
_BUSY_STATUSES = (503, 529)


def nanodollars(usd: float) -> int:
    """US dollars as an integer of nano-dollars, rounded up. Raises ValueError unless finite and at least 0."""
    if not math.isfinite(usd) or usd < 0:
        raise ValueError(f"not an amount of money: {usd}")
    return int((Decimal(repr(float(usd))) * NANO).to_integral_value(ROUND_CEILING))


def dollars(nano: int) -> float:
    """Nano-dollars as US dollars."""
    return nano / NANO


def is_priced(provider: str, model: str) -> bool:
    """True where the price table knows what the model costs; the embedded models cost 0."""
    return cost_usd(provider, model, Usage(uncached=1, output=1)) is not None


def cost(provider: str, model: str, usage: Usage) -> int | None:
    """Nano-dollars for `usage`; None where it cannot be told."""
    usd = cost_usd(provider, model, usage)
    return None if usd is None else nanodollars(usd)


def most(provider: str, model: str, *, input_tokens: int, output_tokens: int) -> int | None:
    """The most a call may cost in nano-dollars, if it starts now; None where the model has no price.

    A prompt's token may be billed as new, as read from the provider's cache or as written to it (some ask more for
    that); the dearest of the three for all of them bounds every mixture, the cost being linear between them.
    """
    if provider == "embedded":
        return 0
    prices = _prices_ahead(provider, model, int(time.time()) // _SLOT_SECONDS)
    if not prices:
        return None
    import genai_prices

    usages = [
        genai_prices.Usage(
            input_tokens=input_tokens, output_tokens=output_tokens, cache_read_tokens=read, cache_write_tokens=write
        )
        for read, write in ((0, 0), (input_tokens, 0), (0, input_tokens))
    ]
    return max(nanodollars(float(price.calc_price(usage)["total_price"])) for price in prices for usage in usages)


@functools.lru_cache(maxsize=256)
def _prices_ahead(provider: str, model: str, slot: int) -> tuple[Any, ...]:
    """The table's distinct prices from `slot` (of ten minutes since 1970) on for about an hour; none where unknown."""
    if not is_priced(provider, model):
        return ()
    import genai_prices

    start = datetime.fromtimestamp(slot * _SLOT_SECONDS, UTC)
    found: list[Any] = []
    for ahead in range(_SLOTS_AHEAD):
        moment = start + timedelta(seconds=ahead * _SLOT_SECONDS)
        one = genai_prices.Usage(input_tokens=1, output_tokens=1)
        price = genai_prices.calc_price(one, model, provider_id=provider, genai_request_timestamp=moment).model_price
        if price not in found:
            found.append(price)
    return tuple(found)


def surely_free(error: BaseException) -> bool:
    """True where a failed call was turned away before a model worked on it, so nothing is owed.

    Everything else may have been billed: a timeout, an answer that broke off or cannot be read, a cancelled call, a
    server's own failure.
    """
    from aiohttp import ClientConnectorError, ConnectionTimeoutError

    if isinstance(error, Fixable | RateLimited):
        return True
    if isinstance(error, Refused) and error.status is not None:
        return error.status < 500 or error.status in _BUSY_STATUSES
    return isinstance(error.__cause__, ClientConnectorError | ConnectionTimeoutError)  # never connected

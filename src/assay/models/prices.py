"""What a call costs, from the price table that ships with `genai-prices`: offline, and honest about what it lacks.

Unknown is None, never 0: a local server, a model the table does not have, a server that reported no usage. Only the
embedded models are free.
"""

import functools
import importlib.metadata
import ipaddress
from typing import Any

from yarl import URL

from assay.models.chat import Usage

UNKNOWN_PROVIDER = "unknown"


def cost_usd(provider: str, model: str, usage: Usage) -> float | None:
    """US dollars for `usage`, or None where it cannot be told."""
    if provider == "embedded":
        return 0.0
    if usage.total == 0 or not _is_priced(provider, model):
        return None
    import genai_prices

    counted = genai_prices.Usage(
        input_tokens=usage.input,
        cache_read_tokens=usage.cache_read,
        cache_write_tokens=usage.cache_write,
        output_tokens=usage.output + usage.reasoning,
    )
    return float(genai_prices.calc_price(counted, model, provider_id=provider).total_price)


def price_version() -> str:
    """Which table prices come from, for the record beside every cost."""
    return f"genai-prices {importlib.metadata.version('genai-prices')}"


@functools.lru_cache(maxsize=1024)
def provider_of(base_url: str, model: str) -> str:
    """The price table's provider: by the server's address, else (public servers only) by the model's name."""
    found = _lookup(model, provider_api_url=base_url)
    if found is None and _is_public(base_url):
        found = _lookup(model)
    return UNKNOWN_PROVIDER if found is None else found


@functools.lru_cache(maxsize=1024)
def _is_priced(provider: str, model: str) -> bool:
    if provider == UNKNOWN_PROVIDER or _lookup(model, provider_id=provider) is None:
        return False
    import genai_prices

    # Some entries of the table have no price for tokens (images, minutes): what they cost is not 0, it is not known.
    probe = genai_prices.Usage(input_tokens=1_000_000, output_tokens=1_000_000)
    return float(genai_prices.calc_price(probe, model, provider_id=provider).total_price) > 0


def _lookup(model: str, **where: str) -> str | None:
    """The provider whose table has `model`, or None."""
    import genai_prices

    calc_price: Any = genai_prices.calc_price
    try:
        return str(calc_price(genai_prices.Usage(input_tokens=1, output_tokens=1), model, **where).provider.id)
    except LookupError:
        return None


def _is_public(base_url: str) -> bool:
    host = URL(base_url).host or ""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith((".local", ".internal", ".lan", ".localhost"))

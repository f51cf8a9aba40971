"""Costs: exact where the table knows, None where it does not, 0 only for embedded models."""

import pytest

from assay.models.chat import Usage
from assay.models.prices import cost_usd, price_version, provider_of

MILLION = 1_000_000


def test_embedded_models_are_free() -> None:
    assert cost_usd("embedded", "SmolLM2-135M-Instruct", Usage(uncached=5, output=5)) == 0.0


@pytest.mark.parametrize(
    ("provider", "model"),
    [("unknown", "gpt-4o-mini"), ("openai", "no-such-model"), ("no-such-provider", "gpt-4o-mini"), ("", "gpt-4o-mini")],
)
def test_unknown_is_unpriced_never_zero(provider: str, model: str) -> None:
    assert cost_usd(provider, model, Usage(uncached=5, output=5)) is None


def test_a_server_that_reports_no_usage_is_unpriced() -> None:
    assert cost_usd("openai", "gpt-4o-mini", Usage()) is None


def test_every_bucket_is_priced_once() -> None:
    plain = cost_usd("openai", "gpt-4o-mini", Usage(uncached=MILLION))
    cached = cost_usd("openai", "gpt-4o-mini", Usage(cache_read=MILLION))
    output = cost_usd("openai", "gpt-4o-mini", Usage(output=MILLION))
    reasoning = cost_usd("openai", "gpt-4o-mini", Usage(reasoning=MILLION))
    everything = cost_usd("openai", "gpt-4o-mini", Usage(MILLION, MILLION, 0, MILLION, MILLION))
    assert plain is not None
    assert cached is not None
    assert output is not None
    assert everything is not None
    assert 0 < cached < plain < output
    assert reasoning == pytest.approx(output)
    assert everything == pytest.approx(plain + cached + 2 * output)


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_cache_writes_are_priced_or_refused_but_never_lost(provider: str) -> None:
    model = {"openai": "gpt-4o-mini", "anthropic": "claude-3-5-haiku-latest"}[provider]
    cost = cost_usd(provider, model, Usage(cache_write=MILLION))
    assert cost is None or cost > 0


@pytest.mark.parametrize(
    ("url", "model", "provider"),
    [
        ("https://api.openai.com/v1", "gpt-4o-mini", "openai"),
        ("https://openrouter.ai/api/v1", "openai/gpt-4o-mini", "openrouter"),
        ("https://llm.example.com/v1", "gpt-4o-mini", "openai"),
        ("http://127.0.0.1:8080/v1", "gpt-4o-mini", "unknown"),
        ("http://localhost:11434/v1", "gpt-4o-mini", "unknown"),
        ("http://10.0.0.3/v1", "gpt-4o-mini", "unknown"),
        ("http://vllm.cluster.local/v1", "gpt-4o-mini", "unknown"),
        ("https://api.openai.com/v1", "no-such-model", "unknown"),
    ],
)
def test_the_provider_is_guessed_from_the_address_first(url: str, model: str, provider: str) -> None:
    assert provider_of(url, model) == provider


def test_the_table_has_a_version() -> None:
    assert price_version().startswith("genai-prices 0.")

"""Fixtures of the gateway's tests."""

from collections.abc import Iterator

import pytest

from assay.ledger.database import Database
from assay.ledger.values import Values


@pytest.fixture
def values(sqlite_database: Database) -> Iterator[Values]:
    """An empty store of values."""
    opened = Values(sqlite_database)
    yield opened
    opened.close()


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback goes direct, whatever this machine's environment says."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")

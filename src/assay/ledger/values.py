"""Values named by their content: what a call gave, kept under a key made of everything that could change it.

The one cache of answers, retrievals, completions, judgements and vectors. Invariants: a key holds one value for ever
(the first that was written); what `put` acknowledged through `flush` survives kill -9; reading never waits for a
writer. Proved by `tests/unit/ledger/test_values.py` and the kill story of evaluations.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from assay.ledger.database import metadata

value = sa.Table(
    "value",
    metadata,
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(12), nullable=False),  # output, chat, retrieval, vector
    sa.Column("data", sa.LargeBinary, nullable=False),  # JSON, zlib where that is shorter
    sa.Column("created_ns", sa.BigInteger, nullable=False),
    sa.Index("ix_value_created_ns", "created_ns"),
)


def key_of(kind: str, parts: Mapping[str, Any]) -> str:
    """SHA-256 (hex) over the kind and the canonical JSON of `parts`. Raises TypeError for what is not JSON."""
    canonical = json.dumps([kind, parts], sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()

"""Where results of these benchmarks lie."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"


def write(name: str, tables: Sequence[dict[str, Any]], **about: Any) -> None:
    """Write tables as JSON beside the other results."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({**about, "tables": list(tables)}, indent=1) + "\n", encoding="utf-8")
    print(f"\n{path.name} written")

"""Aligned tables on the terminal, the same figures as JSON, and where the public data lies."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).resolve().parent / "results"
OUTCOMES = Path(os.environ.get("ASSAY_DATA") or ROOT.parent / "shared" / "data") / "outcomes"
GSM = OUTCOMES / "zeroeval_gsm" / "gsm_correct_matrix.csv"


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """Print a table and give it back as JSON."""
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    print(f"\n{title}")
    for row in cells:
        left = row[0].ljust(widths[0])
        print("  ".join([left, *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]).rstrip())
    return {"title": title, "header": list(header), "rows": [list(row) for row in rows]}


def share(value: float, error: float | None = None, *, digits: int = 3) -> str:
    """A share without its leading zero, with its standard error."""
    text = f"{value:.{digits}f}"
    text = text[1:] if text.startswith("0.") else text
    return text if error is None else f"{text}±{f'{error:.{digits}f}'.removeprefix('0')}"


def of_trials(hits: float, trials: int) -> str:
    """A share of independent trials with its standard error."""
    rate = hits / trials
    return share(rate, (rate * (1 - rate) / trials) ** 0.5)


def write(name: str, tables: Sequence[dict[str, Any]], **about: Any) -> None:
    """Write tables as JSON beside the other results."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({**about, "tables": list(tables)}, indent=1) + "\n", encoding="utf-8")
    print(f"\n{path.relative_to(ROOT)} written")

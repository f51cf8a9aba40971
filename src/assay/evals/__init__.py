"""Cases, scorers and runs: measures any callable.

What a user imports stands here and is loaded when it is named: `from assay.evals import Case, measure`.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assay.evals.case import Case, Evidence
    from assay.evals.cases import read_cases
    from assay.evals.engine import evaluate
    from assay.evals.importers import import_scores
    from assay.evals.notebook import Measurement, measure
    from assay.evals.output import Cited, Output, Retrieved
    from assay.evals.scorer import Score, Scorer
    from assay.evals.system import System

__all__ = [
    "Case",
    "Cited",
    "Evidence",
    "Measurement",
    "Output",
    "Retrieved",
    "Score",
    "Scorer",
    "System",
    "evaluate",
    "import_scores",
    "measure",
    "read_cases",
]

_HOMES = {
    "Case": "case",
    "Cited": "output",
    "Evidence": "case",
    "Measurement": "notebook",
    "Output": "output",
    "Retrieved": "output",
    "Score": "scorer",
    "Scorer": "scorer",
    "System": "system",
    "evaluate": "engine",
    "import_scores": "importers",
    "measure": "notebook",
    "read_cases": "cases",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)

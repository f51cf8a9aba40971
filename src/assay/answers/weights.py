"""The learned weights: small tables of numbers beside this file, made by `benchmarks/answers/train.py`.

Two sets: `tokens` for embedders that show their tokens, `sentences` for those that do not. A signal without a
weight counts for nothing, so a set stays usable when signals are added.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Literal

import numpy as np
from numpy.typing import NDArray

WeightSet = Literal["tokens", "sentences"]
Part = Literal["sentence", "confidence"]


@cache
def table(part: Part, which: WeightSet) -> Mapping[str, float]:
    """Weight by name of signal; `bias` is added once."""
    everything = json.loads(files("assay.answers").joinpath("weights.json").read_text("utf-8"))
    weights: dict[str, float] = everything[part][which]
    return weights


def weighted_sum(
    values: NDArray[np.float64], names: Sequence[str], weights: Mapping[str, float]
) -> NDArray[np.float64]:
    """One score per row of `values`, whose columns are `names`."""
    vector = np.array([weights.get(name, 0.0) for name in names])
    result: NDArray[np.float64] = values @ vector + weights.get("bias", 0.0)
    return result

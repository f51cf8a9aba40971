"""Candidates, comparisons and verdicts: the room where a change is shown to be better, or not."""

from assay.decisions.compare import compare, comparison_shape
from assay.decisions.comparison import Comparison
from assay.decisions.results import Scored, read_results
from assay.decisions.sentence import sentence

__all__ = ["Comparison", "Scored", "compare", "comparison_shape", "read_results", "sentence"]

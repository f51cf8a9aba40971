"""Candidates, comparisons and verdicts: the room where a change is shown to be better, or not."""

"""Numbers in, intervals and verdicts out. Imports nothing of ours."""

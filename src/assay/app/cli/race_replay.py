"""`assay race --replay MATRIX.csv`: recorded outcomes of any source raced, and the winner confirmed, with no call made.

Prints one JSON object on stdout with `as_json`, else the race for a person. Proved by
`tests/unit/decisions/race/test_replayed.py`.
"""

from pathlib import Path

from assay.app.cli import output


def replayed(path: str, incumbent: str | None, seed: int, budget_share: float, as_json: bool) -> int:
    """Race the matrix and print it; the exit code is 0 whatever the verdict. Raises as `race_replayed` does."""
    from assay.decisions.race.replayed import race_replayed
    from assay.decisions.replay import read_matrix

    found = race_replayed(read_matrix(Path(path)), incumbent=incumbent, seed=seed, budget_share=budget_share)
    if as_json:
        output.emit_json(found.as_json())
    else:
        for line in found.lines():
            output.console().print(line, markup=False, soft_wrap=True)
    return 0

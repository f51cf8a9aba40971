"""A pytest fixture that measures: `assay_eval(my_system, "cases.jsonl")["token_f1"].low > 0.5`.

Registered by the entry point `pytest11`, so it loads nothing of Assay before a test asks for it. What was measured is
printed at the end of the session, passed or not. Proved by `tests/unit/evals/test_pytest_plugin.py`.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from assay.evals.case import Case
    from assay.evals.notebook import Measurement

_MEASURED = pytest.StashKey[list[tuple[str, str]]]()


@pytest.fixture
def assay_eval(request: pytest.FixtureRequest) -> "Callable[..., Measurement]":
    """Measure a system on cases: the arguments of `assay.evals.measure`; a file is looked for beside the test first."""

    def measured(
        system: Any, cases: "str | Path | Iterable[Case | Mapping[str, Any]]", **options: Any
    ) -> "Measurement":
        from assay.errors import AssayError
        from assay.evals.notebook import measure

        __tracebackhide__ = True
        if isinstance(cases, str | Path):
            beside = request.path.parent / cases
            cases = beside if beside.exists() else Path(cases)
        try:
            board = measure(system, cases, **options)
        except AssayError as error:
            # Whoever runs the test is helped by their own line and by what to do, which pytest's summary has room for
            # only in the message; not by the frames of what they called.
            error.args = (f"{error.message} {error.hint}".strip(),)
            error.message = error.args[0]
            raise error.with_traceback(None) from error.__cause__
        request.config.stash.setdefault(_MEASURED, []).append((request.node.nodeid, str(board)))
        return board

    return measured


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was measured."""
    measured = terminalreporter.config.stash.get(_MEASURED, [])
    if measured:
        terminalreporter.section("assay")
    for test, board in measured:
        terminalreporter.write_line(test)
        terminalreporter.write_line(board)

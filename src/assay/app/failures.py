"""Every error class on one page: HTTP status, exit code, log level.

A class that is not named takes what its nearest named ancestor has, so a new leaf is handled the
moment it exists; `tests/test_errors.py` still insists that every class is named, so that somebody
has decided. Failures that are not ours are bugs of ours and count as `Corrupt`.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from assay.errors import (
    AssayError,
    BadInput,
    BadSetting,
    Conflict,
    Corrupt,
    Fixable,
    Garbled,
    Interrupted,
    LimitReached,
    MissingExtra,
    NotFound,
    RateLimited,
    Refused,
    TimedOut,
    Unreadable,
    Upstream,
)

OK = 0
FINISHED_WITH_FAILURES = 1

EXIT_CODES: dict[int, str] = {
    OK: "ok",
    FINISHED_WITH_FAILURES: "finished, but some of the work failed and was reported by name",
    2: "fixable: change something and run again",
    3: "upstream: a service failed",
    4: "limit: a budget you set stopped the work",
    5: "corrupt: an invariant or a file of ours is broken",
    130: "interrupted",
}
"""What a script may rely on. `assay compare` exits 0 whatever the verdict."""

DECIDING = frozenset(
    {
        *("try", "gate", "promote", "rollback", "releases", "decisions", "label", "race", "races"),
        *("cases split", "cases budget", "cases open"),
    }
)
"""Verbs whose small exit codes are verdicts (`assay gate`: 1 is worse, 2 is not shown), so that failures lie above."""

OF_DECIDING: dict[int, int] = {2: 64, 3: 69, 4: 75, 5: 70}
"""How the other exit codes read for them, after sysexits.h: usage, unavailable, temporary, software."""


@dataclass(frozen=True, slots=True)
class Failure:
    """How a failure leaves the process: `http_status` of the answer, `exit_code`, `log_level` of `logging`."""

    http_status: int
    exit_code: int
    log_level: int


FAILURES: dict[type[AssayError], Failure] = {
    AssayError: Failure(500, 5, logging.ERROR),
    Fixable: Failure(400, 2, logging.INFO),
    # A wrong setting is fixed by whoever runs the server, not by whoever sent the request.
    BadSetting: Failure(500, 2, logging.ERROR),
    BadInput: Failure(400, 2, logging.INFO),
    NotFound: Failure(404, 2, logging.INFO),
    Conflict: Failure(409, 2, logging.WARNING),
    Unreadable: Failure(422, 2, logging.WARNING),
    MissingExtra: Failure(501, 2, logging.ERROR),
    Upstream: Failure(502, 3, logging.WARNING),
    RateLimited: Failure(429, 3, logging.WARNING),
    TimedOut: Failure(504, 3, logging.WARNING),
    Refused: Failure(502, 3, logging.WARNING),
    Garbled: Failure(502, 3, logging.WARNING),
    LimitReached: Failure(429, 4, logging.WARNING),
    Interrupted: Failure(503, 130, logging.INFO),
    Corrupt: Failure(500, 5, logging.CRITICAL),
}


def failure_of(error: BaseException) -> Failure:
    """The row of the nearest named class along the error's ancestry."""
    for ancestor in type(error).__mro__:
        if ancestor in FAILURES:
            return FAILURES[ancestor]
    if isinstance(error, (KeyboardInterrupt, asyncio.CancelledError)):
        return FAILURES[Interrupted]
    return FAILURES[Corrupt]


def http_status(error: BaseException) -> int:
    """The HTTP status an answer carries when `error` ended the request."""
    return failure_of(error).http_status


def exit_code(error: BaseException) -> int:
    """The code the process exits with when `error` ended the command."""
    return failure_of(error).exit_code


def exit_code_of(arguments: Sequence[str], code: int) -> int:
    """The code the failed command `arguments` exits with, where `code` is what any other would."""
    is_deciding = any(" ".join(arguments[:count]) in DECIDING for count in (1, 2))
    return OF_DECIDING.get(code, code) if is_deciding else code


def log_level(error: BaseException) -> int:
    """The `logging` level `error` is worth."""
    return failure_of(error).log_level

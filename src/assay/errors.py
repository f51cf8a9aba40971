"""Every failure Assay raises, sorted by what the caller does next.

    AssayError                      code, hint, retryable
    ├─ Fixable                      you can change something and try again
    │  ├─ BadSetting                a setting, flag or environment variable is wrong
    │  ├─ BadInput                  a request or a file you passed does not make sense
    │  ├─ NotFound                  the thing you named does not exist
    │  ├─ Conflict                  something else holds what you need (port, lock, name)
    │  ├─ Unreadable                a document cannot be read
    │  └─ MissingExtra              an optional dependency is not installed
    ├─ Upstream                     a service failed
    │  ├─ RateLimited               retry after `retry_after_seconds`
    │  ├─ TimedOut                  no answer in time
    │  ├─ Refused                   the service said no (401, 403, 404, 5xx, connection refused)
    │  └─ Garbled                   the service answered something we cannot read
    ├─ LimitReached                 a budget you set stopped the work
    ├─ Interrupted                  stopped part-way; says how to go on
    └─ Corrupt                      an invariant of ours is broken; never caught below the edge

Outcomes are values, not errors: declining to answer is `Declined`, an undecided comparison is
UNDECIDED. Programming mistakes stay `ValueError` and `TypeError`. `assay.app.failures` maps every
class to an HTTP status, an exit code and a log level, and a test proves the map complete.
"""

from typing import ClassVar


class AssayError(Exception):
    """A failure with a stable `code`, one sentence of what was wrong and one of what to do.

    `code` is a slug other programs may match on; `hint` is one imperative sentence, or empty.
    """

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.slug = code or type(self).code

    def __str__(self) -> str:
        return self.message


class Fixable(AssayError):
    """You can change something and try again."""

    code = "fixable"


class BadSetting(Fixable):
    """A setting, flag or environment variable is wrong."""

    code = "bad_setting"


class BadInput(Fixable):
    """A request or a file you passed does not make sense."""

    code = "bad_input"


class NotFound(Fixable):
    """The thing you named does not exist."""

    code = "not_found"


class Conflict(Fixable):
    """Something else holds what you need."""

    code = "conflict"


class Unreadable(Fixable):
    """A document cannot be read; `slug` says why (`encrypted`, `truncated`, `empty`, `binary`, ...)."""

    code = "unreadable"


class MissingExtra(Fixable):
    """An optional dependency is not installed."""

    code = "missing_extra"


class Upstream(AssayError):
    """A service failed."""

    code = "upstream"


class RateLimited(Upstream):
    """The service asks us to slow down."""

    code = "rate_limited"
    retryable = True

    def __init__(self, message: str, *, hint: str = "", retry_after_seconds: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_seconds = retry_after_seconds


class TimedOut(Upstream):
    """The service gave no answer in time."""

    code = "timed_out"
    retryable = True


class Refused(Upstream):
    """The service said no, or could not be reached."""

    code = "refused"

    def __init__(self, message: str, *, hint: str = "", status: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class Garbled(Upstream):
    """The service answered something we cannot read."""

    code = "garbled"


class LimitReached(AssayError):
    """A budget you set (tokens, money, steps, time, size) stopped the work."""

    code = "limit_reached"


class Interrupted(AssayError):
    """Stopped part-way; the message says what was kept and the hint how to go on."""

    code = "interrupted"


class Corrupt(AssayError):
    """An invariant of ours is broken, or a file of ours was damaged."""

    code = "corrupt"

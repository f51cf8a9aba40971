"""Somebody who follows a run as it goes and may stop it: a decision that needs no more cases than it needs."""

from typing import Protocol

from assay.evals.result import Result


class Follower(Protocol):
    """Told every result of a run, also those of an earlier attempt, and asked before each case.

    `again`: what failed in an earlier attempt is tried again.
    """

    again: bool

    async def may(self, ordinal: int) -> bool:
        """Wait until the case at `ordinal` may be asked; False: no further case is needed, and the run stops."""
        ...

    def seen(self, result: Result) -> None:
        """A result is written down. In any order, each once."""
        ...

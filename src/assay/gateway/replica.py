"""Which resample of a question this task is at. It is part of every cache key, so that no resample copies another."""

from contextvars import ContextVar

replica: ContextVar[int] = ContextVar("assay_replica", default=0)

"""Which resample of a question this task is at: part of every cache key, so resamples are never copies of each other."""

from contextvars import ContextVar

replica: ContextVar[int] = ContextVar("assay_replica", default=0)

"""The page: chat, documents, settings in force, traces."""

from assay.app.web.mount import mount

__all__ = ["mount"]

"""Assay: documents in, cited answers out, and a change ships only when it is shown to be better.

This module imports nothing, so that `import assay` and `assay --help` stay fast; take what you
need from the rooms: `assay.stats`, `assay.documents`, `assay.index`, `assay.answers`, ...
"""

__version__ = "0.1.0"

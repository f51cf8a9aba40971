"""Text that native libraries and servers accept: Python strings may hold lone surrogates and NUL, theirs may not."""

import re

_UNACCEPTABLE = re.compile(r"[\x00\ud800-\udfff]")


def well_formed(text: str) -> str:
    """`text` with each lone surrogate and NUL replaced by U+FFFD, so positions stay the same."""
    return _UNACCEPTABLE.sub("\ufffd", text)

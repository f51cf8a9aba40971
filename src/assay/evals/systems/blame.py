"""Whose line it was: the place in a user's own code where an exception came from, for one line of a message."""

import linecache
import sys
import sysconfig
import traceback
from pathlib import Path
from types import FrameType

_OURS = str(Path(__file__).resolve().parents[2])
_LIBRARIES = tuple({sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_MOST_CHARACTERS = 200


def told(error: BaseException) -> str:
    """`ValueError: no index (my_bot.py:12 in ask: raise ValueError("no index"))`, on one line."""
    said = _one_line("".join(traceback.format_exception_only(error)[-1:]))
    place = where(error)
    return f"{said} ({place})" if place else said


def where(error: BaseException) -> str:
    """The deepest line of the user's own code in the traceback of `error`, else its deepest line, else nothing."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{Path(error.filename).name}:{error.lineno}"
    frames = [(frame, number) for frame, number in traceback.walk_tb(error.__traceback__) if not _is_ours(frame)]
    theirs = [found for found in frames if not _is_library(found[0])] or frames
    if not theirs:
        return ""
    frame, number = theirs[-1]
    file = frame.f_code.co_filename
    line = _one_line(linecache.getline(file, number, frame.f_globals))
    place = f"{Path(file).name}:{number} in {frame.f_code.co_name}"
    return f"{place}: {line}" if line else place


def _is_ours(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    return file.startswith((_OURS, "<frozen"))


def _is_library(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith((*_LIBRARIES, sys.base_prefix + "/lib"))


def _one_line(text: str) -> str:
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= _MOST_CHARACTERS else line[: _MOST_CHARACTERS - 1] + "…"

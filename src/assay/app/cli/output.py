"""What every verb prints with: one JSON object or text on stdout, everything else on stderr.

Colour follows the terminal and `NO_COLOR`; nothing printed depends on colour for its meaning.
"""

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def emit_json(value: Any) -> None:
    """Print `value` as one JSON object on stdout. NaN and infinity are refused: they are not JSON."""
    utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    sys.stdout.write(json.dumps(value, ensure_ascii=not utf8, allow_nan=False, indent=2) + "\n")
    sys.stdout.flush()


def console() -> "Console":
    """A rich console on stdout, for what the user asked for."""
    from rich.console import Console

    # Piped output is read by programs and pagers: breaking its lines at 80 columns would help neither.
    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def error_console() -> "Console":
    """A rich console on stderr, for progress and notes."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def note(text: str) -> None:
    """One line on stderr."""
    sys.stderr.write(text.rstrip("\n") + "\n")
    sys.stderr.flush()

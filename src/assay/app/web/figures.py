"""How figures are written: counts with separators, durations and sizes in the unit read fastest, money never as 0."""


def count(number: int, noun: str = "", plural: str = "") -> str:
    """`1,204 passages`: a count with thousands separators, and its noun in the right number."""
    if not noun:
        return f"{number:,}"
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def duration(milliseconds: float) -> str:
    """`34 ms`, `1.84 s`, `2 min 05 s`."""
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms" if milliseconds >= 9.5 or milliseconds == 0 else f"{milliseconds:.1f} ms"
    seconds = milliseconds / 1000
    if seconds < 99.95:
        return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.1f} s"
    return f"{round(seconds) // 60} min {round(seconds) % 60:02d} s"


def size(number: int) -> str:
    """`93 MB`: bytes in powers of ten."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if number >= factor:
            return f"{number / factor:.1f} {unit}" if number < 10 * factor else f"{number / factor:.0f} {unit}"
    return f"{number} B"


def money(cost_usd: float | None) -> str:
    """`$0` for what costs nothing, `unpriced` where no price is known, otherwise three significant figures."""
    if cost_usd is None:
        return "unpriced"
    if cost_usd == 0:
        return "$0"
    if cost_usd >= 1:
        return f"${cost_usd:,.2f}"
    whole, _, cents = f"{cost_usd:.{2 - _exponent(cost_usd)}f}".partition(".")
    return f"${whole}.{cents.rstrip('0').ljust(2, '0')}"


def _exponent(value: float) -> int:
    return int(f"{value:.2e}".partition("e")[2])

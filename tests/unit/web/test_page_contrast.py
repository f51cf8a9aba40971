"""The colours of the stylesheet: text reads on every ground it stands on, in both themes (WCAG 2.2 AA: 4.5 to 1)."""

import re

import pytest

from assay.app.web.mount import STATIC

COLOURS = {
    name: {"light": light, "dark": dark}
    for name, light, dark in re.findall(
        r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", (STATIC / "colours.css").read_text(encoding="utf-8")
    )
}
PAIRS = [
    *((ink, ground) for ink in ("ink", "muted", "faint") for ground in ("ground", "panel", "sunken")),
    *(("ink", ground) for ground in ("mark", "warn-soft", "bad-soft")),
    *(("muted", ground) for ground in ("warn-soft", "bad-soft")),
    *((f"{kind}", f"{kind}-soft") for kind in ("good", "bad", "warn", "accent")),
    ("accent", "ground"),
    ("accent", "panel"),
    ("bad", "panel"),
    ("on-accent", "accent"),
]


def luminance(colour: str) -> float:
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), PAIRS)
def test_text_reads_on_its_ground(ink: str, ground: str, theme: str) -> None:
    light, dark = sorted((luminance(COLOURS[ink][theme]), luminance(COLOURS[ground][theme])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5

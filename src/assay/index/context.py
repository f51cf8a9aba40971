"""The text a passage is found by: its own, under the title and headings it stands under.

Both sides index the same text, so a hit can be explained by one string. `RECIPE` names this rule:
change it when the rule changes, and every passage is embedded and indexed anew.
"""

RECIPE = "title-heading-text-1"


def indexed_text(text: str, *, title: str, heading: str) -> str:
    """`text` below a line with title and heading path, left out where the passage opens with them anyway."""
    opening = text[:400].casefold()
    parts = [part for part in (title, *heading.split(" > ")) if part and part.casefold() not in opening]
    context = " > ".join(dict.fromkeys(parts))
    return f"{context}\n{text}" if context else text

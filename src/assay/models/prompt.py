"""Prompts are named and content-addressed: a run, a trace and a release say exactly which words a model was given.

A changed word is another digest, so it is another subject and nothing cached under the old one is reused.
"""

import difflib
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Prompt:
    """A named text given to a model; `{placeholders}` are the caller's business and part of the text."""

    name: str
    text: str

    @property
    def digest(self) -> str:
        """The first 16 hex digits of the SHA-256 of the text."""
        return hashlib.sha256(self.text.encode(errors="surrogatepass")).hexdigest()[:16]

    def diff(self, other: "Prompt") -> str:
        """A unified diff from this prompt to `other`; empty where the texts are equal."""
        return "".join(
            difflib.unified_diff(
                self.text.splitlines(keepends=True),
                other.text.splitlines(keepends=True),
                f"{self.name}@{self.digest}",
                f"{other.name}@{other.digest}",
            )
        )


def fenced(parts: Sequence[tuple[str, str]]) -> str:
    """Texts that are data, each between tags of its name, with a blank line between them.

    No text can open or close any of the tags used here: their bracket becomes a look-alike, also where blanks,
    slashes or invisible characters stand between bracket and name. Names are the caller's own words.
    """
    names = "|".join(re.escape(name) for name in sorted({name for name, _ in parts}))
    # At most eight characters between bracket and name: a document of brackets alone must not cost a square.
    tag = re.compile(rf"<(?=[^\w<]{{0,8}}(?:{names}))", re.IGNORECASE)
    return "\n\n".join(f"<{name}>\n{tag.sub('‹', text)}\n</{name}>" for name, text in parts)

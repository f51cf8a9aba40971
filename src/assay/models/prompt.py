"""Prompts are named and content-addressed: a run, a trace and a release say exactly which words a model was given.

A changed word is another digest, so it is another subject and nothing cached under the old one is reused.
"""

import difflib
import hashlib
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

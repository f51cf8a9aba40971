"""Token counts of any span of a text, from one pass of the tokenizer.

The text is handed to the tokenizer in slices of at most a few thousand characters, cut at white space,
because tokenizers take memory in proportion to what they are handed. Every character is tokenised once,
so counting is linear however often it is asked. Proved by the guard in `tests/properties/test_spans.py` that
counts the characters handed over.
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator

Tokens = Callable[[str], list[tuple[int, int]]]

_SLICE = 8192  # characters


class TokenCounts:
    """Counts tokens by where they start."""

    def __init__(self, text: str, tokens: Tokens) -> None:
        self.starts = array("q")
        for begin, end in _slices(text):
            self.starts.extend([begin + start for start, _ in tokens(text[begin:end])])

    def between(self, start: int, end: int) -> int:
        """How many tokens start in text[start:end]."""
        return bisect_left(self.starts, end) - bisect_left(self.starts, start)

    def after(self, start: int, count: int) -> int | None:
        """Where the token starts that is `count` tokens after `start`, or None past the last."""
        index = bisect_left(self.starts, start) + count
        return self.starts[index] if index < len(self.starts) else None


def _slices(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(text):
        end = min(start + _SLICE, len(text))
        if end < len(text):
            end = _white_space_before(text, start, end)
        yield start, end
        start = end


def _white_space_before(text: str, start: int, end: int) -> int:
    """The last place in the second half of text[start:end] where white space ends a word, or `end`."""
    for mark in "\n ":
        found = text.rfind(mark, start + _SLICE // 2, end)
        if found > start:
            return found
    return end

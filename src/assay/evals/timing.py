"""How long work will take before any of it was done: what a model did in a second, and what it will be asked.

Nothing here is a guess about a machine. A speed comes from a call made a moment ago; how many tokens a case takes is
declared by whoever asks for them, from the least to the most, and the range that comes out is as wide as that. Only the
embedded model is timed so: it is free, and nobody else waits for it. Proved by `tests/unit/evals/test_timing.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from assay.errors import Upstream
from assay.models.chat import ChatModel, ChatRequest, Message

_LINES, _WRITTEN_TOKENS = 24, 24
_MOST_PASSAGES = 10
Bounds = tuple[float, float]


class Range(NamedTuple):
    """An expectation with its limits: 95% where it rests on measurements, else the declared extremes."""

    low: float
    expected: float
    high: float

    def __add__(self, other: "Range") -> "Range":  # type: ignore[override]  # ranges add up, they are not joined
        return Range(self.low + other.low, self.expected + other.expected, self.high + other.high)

    def times(self, factor: float) -> "Range":
        """Each limit so many times."""
        return Range(self.low * factor, self.expected * factor, self.high * factor)


class Passages(NamedTuple):
    """Of the passages of one answer the fewest and the most: how many, and tokens of all together."""

    number: Bounds = (1, _MOST_PASSAGES)
    tokens: Bounds = (0, 2_048)


class Work(NamedTuple):
    """Tokens that one case makes a model read and write, from the least (a prompt begun alike is not read again) to
    the most; `passages` is how often it reads all passages, `each_...` comes on top for every single one.
    """

    read: Bounds
    write: Bounds
    passages: float = 0
    each_read: Bounds = (0, 0)
    each_write: Bounds = (0, 0)

    def among(self, passages: Passages) -> "Work":
        """The same with the passages counted in."""
        (fewest, most), (least, longest) = passages
        return Work(
            (
                self.read[0] + self.passages * least + fewest * self.each_read[0],
                self.read[1] + self.passages * longest + most * self.each_read[1],
            ),
            (self.write[0] + fewest * self.each_write[0], self.write[1] + most * self.each_write[1]),
        )


@dataclass(frozen=True, slots=True)
class Speed:
    """Tokens a second: those read and those written."""

    read: float
    written: float

    def seconds(self, works: Sequence[Work]) -> Range:
        """How long these take, one after another."""
        low, high = (
            sum(work.read[end] / self.read + work.write[end] / self.written for work in works) for end in (0, 1)
        )
        return Range(low, (low + high) / 2, high)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What was timed a moment ago: seconds of one question asked alone, and the speed of the embedded chat model."""

    answer: Range | None = None
    speed: Speed | None = None


async def speed_of(model: ChatModel) -> Speed | None:
    """The speed of a model in one call of some 300 tokens; None where it fails or does not say when it began.

    Give it the model itself: from a cache comes another speed.
    """
    text = "\n".join(f"{i}. The lamp on shelf {i * 7 % 31} belongs to room {i * 5 % 23}." for i in range(_LINES))
    asked = (Message("system", "Write on from here, line by line."), Message("user", text))
    try:
        said = await model.complete(ChatRequest(asked, max_tokens=_WRITTEN_TOKENS))
    except Upstream:
        return None
    read, written = said.usage.uncached, said.usage.output - 1
    if not said.ttft_ms or read < 1 or written < 1 or said.latency_ms <= said.ttft_ms:
        return None
    return Speed(read / said.ttft_ms * 1000, written / (said.latency_ms - said.ttft_ms) * 1000)


def clock(seconds: float) -> str:
    """Seconds for people: no finer than anybody can know."""
    if seconds < 1:
        return "under 1 s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"

"""Fit passages, question, instructions and answer into a model's window, by the model's own counts.

Invariant: what is packed never overflows: the model counted exactly these messages, and they and the
answer's budget fit its window together. Passages shrink by whole sentences, the least useful first.
No assumption is made about how counts add up. Proved by `tests/properties/test_packer.py`.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from assay.answers.candidates import Candidate
from assay.errors import BadInput, LimitReached
from assay.index.hit import Hit
from assay.models.chat import ChatModel, Message

GAP = " […] "
"""Stands where sentences were left out."""

_MOST_SKIPPED = 8
"""Sentences too long to fit that are passed over before packing stops looking for shorter ones."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A passage as the model sees it: `number` is its marker, `text` its sentences that were kept."""

    number: int
    hit: Hit
    text: str


Prompt = Callable[[Sequence[Shown]], tuple[Message, ...]]


@dataclass(frozen=True, slots=True)
class Packed:
    """Messages that fit: `prompt_tokens` + `max_tokens` is at most the model's window."""

    messages: tuple[Message, ...]
    shown: tuple[Shown, ...]
    prompt_tokens: int
    max_tokens: int
    dropped: int


_Fitting = Callable[[Sequence[Candidate]], Awaitable[Packed | None]]


async def pack(ranked: Sequence[Candidate], prompt: Prompt, *, model: ChatModel, max_tokens: int) -> Packed:
    """The most useful of `ranked` (best first) that fit `model`'s window beside an answer of `max_tokens`.

    The answer gets at most half of the window. Raises LimitReached where the window holds no passage,
    BadInput where it does not even hold the question.
    """
    budget = max(1, min(max_tokens, model.window // 2))
    room = model.window - budget

    async def fitting(kept: Sequence[Candidate]) -> Packed | None:
        shown = _shown(kept)
        messages = prompt(shown)
        tokens = await model.count(messages)
        return Packed(messages, shown, tokens, budget, len(ranked) - len(kept)) if tokens <= room else None

    everything = await fitting(ranked)
    if everything is not None and ranked:
        return everything
    if await fitting([]) is None:
        raise BadInput(
            f"The question and the instructions do not fit the {model.window} tokens of {model.name}.",
            hint="Ask a shorter question, shorten answers.instructions, or use a model with a larger window.",
        )
    packed = await _most_useful(ranked, fitting)
    if packed is None:
        raise LimitReached(
            f"No passage fits beside the question in the {model.window} tokens of {model.name}.",
            hint="Lower answers.max_tokens, or use a model with a larger window.",
        )
    return packed


async def _most_useful(ranked: Sequence[Candidate], fitting: _Fitting) -> Packed | None:
    """The longest start of `ranked` that fits, passing over a few sentences too long to fit at all.

    Halving assumes that fewer sentences cost fewer tokens. Where they do not, less may be kept than
    could be, but never more: only what was counted and fits is returned.
    """
    kept: list[Candidate] = []
    best: Packed | None = None
    rest = list(ranked)
    for _ in range(_MOST_SKIPPED):
        low, high = 0, len(rest)  # `low` more are known to fit
        while low < high:
            middle = (low + high + 1) // 2
            packed = await fitting([*kept, *rest[:middle]])
            if packed is None:
                high = middle - 1
            else:
                low, best = middle, packed
        kept, rest = kept + rest[:low], rest[low + 1 :]
        if not rest:
            break
    return best


def _shown(kept: Sequence[Candidate]) -> tuple[Shown, ...]:
    """The passages of the kept sentences in the order they were found, their sentences in the order of the text."""
    by_rank: dict[int, list[Candidate]] = {}
    for candidate in kept:
        by_rank.setdefault(candidate.rank, []).append(candidate)
    return tuple(
        Shown(number, by_rank[rank][0].hit, _excerpt(by_rank[rank]))
        for number, rank in enumerate(sorted(by_rank), start=1)
    )


def _excerpt(sentences: Sequence[Candidate]) -> str:
    """The sentences with what stands between them in the text, or a mark where a sentence was left out."""
    ordered = sorted(sentences, key=lambda sentence: sentence.start)
    parts = [ordered[0].text]
    for before, after in pairwise(ordered):
        between = after.hit.passage.text[before.end : after.start]
        parts += [between if not any(c.isalnum() for c in between) else GAP, after.text]
    return "".join(parts)

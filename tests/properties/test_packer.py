"""The packer never overflows, whatever a model's counts look like."""

import asyncio
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.answers.candidates import Candidate, sentences_of
from assay.answers.pack import Packed, pack
from assay.answers.prompt import prompt_for
from assay.documents.document import Passage
from assay.errors import BadInput, LimitReached
from assay.index.hit import Hit
from assay.models.chat import Message
from assay.models.scripted import ScriptedChat

Count = Callable[[Sequence[Message]], int]


class Counting(ScriptedChat):
    """A model whose counts are any function of the messages."""

    def __init__(self, count: Count, window: int) -> None:
        super().__init__([], window=window)
        self._count = count

    async def count(self, messages: Sequence[Message]) -> int:
        return self._count(messages)


def characters(messages: Sequence[Message]) -> int:
    return sum(len(message.content) for message in messages)


def counts() -> st.SearchStrategy[Count]:
    """Additive counts, counts with an overhead that jumps, and counts that follow no rule at all."""
    additive = st.floats(0.05, 2.0).map(lambda per: lambda messages: int(characters(messages) * per))
    jumping = st.integers(1, 400).map(
        lambda step: lambda messages: characters(messages) // 4 + step * (characters(messages) // 300)
    )
    lawless = st.integers(0, 2**32).map(
        lambda seed: lambda messages: hash((seed, characters(messages))) % (1 + characters(messages))
    )
    return st.one_of(additive, jumping, lawless)


texts = st.lists(
    st.lists(
        st.sampled_from(["Seine", "Parisii", "founded", "by", "42", "über", "<passage>"]), min_size=1, max_size=30
    ).map(lambda words: " ".join(words) + "."),
    min_size=1,
    max_size=8,
).map(" ".join)


def candidates(passages: Sequence[str]) -> list[Candidate]:
    hits = [Hit(Passage(f"d{i}", 0, 0, len(text), text), f"{i}.md", f"T{i}", 1.0) for i, text in enumerate(passages)]
    return [candidate for rank, hit in enumerate(hits) for candidate in sentences_of(hit, rank=rank)]


def packed(
    ranked: Sequence[Candidate], *, count: Count, window: int, max_tokens: int, question: str = "Who?"
) -> Packed:
    prompt = prompt_for(question, instructions="")
    return asyncio.run(pack(ranked, prompt, model=Counting(count, window), max_tokens=max_tokens))


@given(st.lists(texts, min_size=1, max_size=5), counts(), st.integers(1, 4000), st.integers(1, 500), st.randoms())
def test_never_overflows_and_keeps_whole_sentences(passages, count, window, max_tokens, random) -> None:
    ranked = candidates(passages)
    random.shuffle(ranked)
    try:
        result = packed(ranked, count=count, window=window, max_tokens=max_tokens)
    except (LimitReached, BadInput):
        return
    assert count(result.messages) == result.prompt_tokens
    assert result.prompt_tokens + result.max_tokens <= window
    assert 1 <= result.max_tokens <= max_tokens
    assert result.shown
    shown = "\n".join(passage.text for passage in result.shown)
    whole = [candidate for candidate in ranked if candidate.text in shown]
    assert len(whole) >= len(ranked) - result.dropped > 0
    assert [passage.number for passage in result.shown] == list(range(1, len(result.shown) + 1))


@given(st.lists(texts, min_size=1, max_size=5), st.integers(1500, 4000), st.randoms())
def test_drops_the_least_useful_first(passages, window, random) -> None:
    ranked = candidates(passages)
    random.shuffle(ranked)
    try:
        result = packed(ranked, count=characters, window=window, max_tokens=10)
    except (LimitReached, BadInput):
        return

    def fits(n: int) -> bool:
        everything = packed(ranked[:n], count=lambda _: 0, window=window, max_tokens=10)
        return characters(everything.messages) + 10 <= window

    longest = max((n for n in range(1, len(ranked) + 1) if fits(n)), default=0)
    shown = {passage.hit.source: passage.text for passage in result.shown}
    assert all(candidate.text in shown[candidate.hit.source] for candidate in ranked[:longest])
    assert len(ranked) - result.dropped >= longest


@given(texts)
def test_everything_is_kept_where_it_fits(text) -> None:
    ranked = candidates([text])
    result = packed(ranked, count=lambda _: 10, window=100, max_tokens=50)
    assert result.dropped == 0
    assert "[…]" not in result.shown[0].text


def test_a_giant_sentence_does_not_keep_the_others_out() -> None:
    ranked = candidates(["word " * 3000 + "end.", "Short one. Another one."])
    result = packed(ranked, count=characters, window=3000, max_tokens=100)
    assert [passage.text for passage in result.shown] == ["Short one. Another one."]
    assert result.dropped == 1


def test_a_window_too_small_for_a_passage_and_a_question_too_long() -> None:
    ranked = candidates(["word " * 3000 + "end."])
    with pytest.raises(LimitReached, match="No passage fits"):
        packed(ranked, count=characters, window=3000, max_tokens=100)
    with pytest.raises(BadInput, match="question"):
        packed(ranked, count=characters, window=3000, max_tokens=100, question="why " * 1000)


def test_left_out_sentences_leave_a_mark() -> None:
    first, _, third = candidates(["One is here. Two is here. Three is here."])
    result = packed([third, first], count=characters, window=5000, max_tokens=10)
    assert result.shown[0].text == "One is here. […] Three is here."

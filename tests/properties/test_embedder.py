"""A text's vector depends on nothing but the text: not on its batch, its place, the threads, or what ran before."""

import asyncio

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.models.catalogue import embedder
from assay.models.minilm import MiniLMEmbedder
from assay.models.settings import ModelSettings

WORDS = st.sampled_from(
    [
        "the",
        "bridge",
        "cell",
        "protein",
        "1848",
        "Zoë",
        "unbelievable,",
        "tax",
        "—",
        "law!",
        "(b)",
        "日本",
        "[SEP]",
        "[CLS]",
    ]
)
TEXTS = st.one_of(st.lists(WORDS, max_size=80).map(" ".join), st.text(max_size=60))


@pytest.fixture(scope="module")
def minilm() -> MiniLMEmbedder:
    model = embedder(ModelSettings(threads=3))
    assert isinstance(model, MiniLMEmbedder)
    return model


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(texts=st.lists(TEXTS, min_size=2, max_size=8), data=st.data())
def test_a_vector_does_not_depend_on_its_batch(minilm: MiniLMEmbedder, texts: list[str], data: st.DataObject) -> None:
    async def both() -> None:
        together = await minilm.embed(texts)
        order = data.draw(st.permutations(range(len(texts))))
        shuffled = await minilm.embed([texts[i] for i in order])
        assert (shuffled == together[order]).all()
        i = order[0]
        alone = await minilm.embed([texts[i]], kind="query")
        assert (alone[0] == together[i]).all()  # to the last bit, which is more than the 1e-6 we promise
        assert np.isfinite(together).all()

    asyncio.run(both())


@settings(max_examples=60, deadline=None)
@given(text=TEXTS)
def test_token_spans_follow_each_other_inside_the_text(minilm: MiniLMEmbedder, text: str) -> None:
    end = 0
    for start, stop in minilm.token_spans(text):
        assert end <= start < stop <= len(text)
        end = stop

"""What every Embedder promises, on every adapter in the catalogue."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest

from assay.gateway.stack import stacked_embedder
from assay.models.embedder import Embedder
from assay.models.minilm import MiniLMEmbedder
from assay.models.openai_embedder import OpenAIEmbedder
from assay.models.scripted import ScriptedEmbedder
from assay.models.wire import Wire

TEXTS = ["A dog barks.", "", "Zwölf Boxkämpfer", "A dog barks.", "x" * 3000, "tax law " * 400, "😀 \ud83d lone"]


@pytest.fixture(params=["scripted", "embedded", "openai", "stacked embedded", "stacked openai"])
async def embedder(
    request: pytest.FixtureRequest, embedded_embedder: MiniLMEmbedder, server: Any, no_proxy: None
) -> AsyncIterator[Embedder]:
    if request.param == "scripted":
        yield ScriptedEmbedder()
    elif request.param == "embedded":
        yield embedded_embedder
    elif request.param == "openai":
        model = OpenAIEmbedder("embed-test", Wire(server.url), dimensions=server.dimensions)
        yield model
        await model.aclose()
    else:
        options = request.getfixturevalue("gateway_parts")
        if request.param == "stacked openai":
            wire = Wire(server.url, max_retries=0)
            priced = OpenAIEmbedder("text-embedding-3-small", wire, dimensions=server.dimensions)
            yield stacked_embedder(priced, provider="openai", **options)
            await priced.aclose()
        else:
            yield stacked_embedder(embedded_embedder, provider="embedded", **options)


async def test_it_is_an_embedder(embedder: Embedder) -> None:
    assert isinstance(embedder, Embedder)
    assert embedder.name
    assert embedder.digest
    assert embedder.max_tokens > 0


async def test_vectors_are_unit_float32_and_in_order(embedder: Embedder) -> None:
    vectors = await embedder.embed(TEXTS)
    assert vectors.shape == (len(TEXTS), embedder.dimensions)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert (vectors[0] == vectors[3]).all()
    for i in (0, 2, 4):
        np.testing.assert_allclose(vectors[i], (await embedder.embed([TEXTS[i]]))[0], atol=1e-6)


async def test_no_texts_give_no_vectors(embedder: Embedder) -> None:
    assert (await embedder.embed([])).shape == (0, embedder.dimensions)


async def test_a_query_sees_the_same_space(embedder: Embedder) -> None:
    passages = await embedder.embed(["A dog barks.", "The law of taxes."])
    query = (await embedder.embed(["A dog barks."], kind="query"))[0]
    assert passages[0] @ query > passages[1] @ query


@pytest.mark.parametrize("text", [*TEXTS, "a  b\n\nc", "naïve café—so", "[SEP] [CLS] [MASK]", "日本語 text", " \n"])
async def test_token_spans_are_in_order_inside_the_text(embedder: Embedder, text: str) -> None:
    spans = embedder.token_spans(text)
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))
    covered = set().union(*(range(*span) for span in spans)) if spans else set()
    assert {i for i, character in enumerate(text) if character.isalnum()} <= covered


async def test_the_event_loop_is_free_while_it_embeds(embedder: Embedder) -> None:
    task = asyncio.create_task(embedder.embed(["some words of a passage " * 40] * 24))
    ticks = 0
    while not task.done():
        await asyncio.sleep(0)
        ticks += 1
    assert ticks > 1 or isinstance(embedder, ScriptedEmbedder)


async def test_many_calls_at_once_do_not_mix(embedder: Embedder) -> None:
    texts = [f"text number {i}" for i in range(50)]
    vectors = await asyncio.gather(*(embedder.embed([text], kind="query") for text in texts))
    together = await embedder.embed(texts)
    np.testing.assert_allclose(np.concatenate(vectors), together, atol=1e-6)


async def test_a_cancelled_call_leaves_it_usable(embedder: Embedder) -> None:
    task = asyncio.create_task(embedder.embed(["a passage of words " * 50] * 100))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (await embedder.embed(["still here"])).shape == (1, embedder.dimensions)


async def test_closing_twice_is_fine() -> None:
    for model in (ScriptedEmbedder(), OpenAIEmbedder("e", Wire("http://127.0.0.1:9"), dimensions=3)):
        await model.aclose()
        await model.aclose()


# --- what only the embedded embedder can show -------------------------------------------------------------------------


async def test_spans_of_a_long_text_are_those_of_its_parts(embedded_embedder: MiniLMEmbedder) -> None:
    words = "unbelievable counterrevolutionaries met Zoë, in 1848!\n"
    once = embedded_embedder.token_spans(words)
    many = embedded_embedder.token_spans(words * 3000)
    assert len(many) == 3000 * len(once)
    at = 2999 * len(words)
    assert many[-len(once) :] == [(start + at, end + at) for start, end in once]


async def test_only_the_first_256_word_pieces_count(embedded_embedder: MiniLMEmbedder) -> None:
    head = "word " * 254  # with the two special tokens: 256
    same = await embedded_embedder.embed([head, head + "and the rest is not seen", "word " * 253 + "other"])
    assert (same[0] == same[1]).all()
    assert not np.allclose(same[0], same[2])


async def test_meaning_is_near(embedded_embedder: MiniLMEmbedder) -> None:
    vectors = await embedded_embedder.embed(["A puppy is barking.", "A dog barks.", "The law of taxes."])
    assert vectors[0] @ vectors[1] > 0.7 > 0.3 > vectors[0] @ vectors[2]


async def test_token_vectors_are_those_the_text_vector_is_made_from(embedded_embedder: MiniLMEmbedder) -> None:
    texts = ["A puppy is barking, unbelievably.", "", "word " * 400]
    vectors = await embedded_embedder.embed(texts)
    for text, vector, seen in zip(texts, vectors, await embedded_embedder.embed_tokens(texts), strict=True):
        assert (seen.vector == vector).all()
        assert list(seen.spans) == embedded_embedder.token_spans(text)[: embedded_embedder.max_tokens - 2]
        assert seen.tokens.shape == (len(seen.spans), embedded_embedder.dimensions)
        # Token vectors are remembered in half precision, so their length is one to within its rounding.
        np.testing.assert_allclose(np.linalg.norm(seen.tokens, axis=1), 1, atol=1e-4)
